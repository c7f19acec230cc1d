"""The reference networks in PyTorch: HiFi-GAN's discriminators (arXiv 2010.05646)."""
