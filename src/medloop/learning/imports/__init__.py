"""Networks that other programs trained, made into bundles: MONAI bundles and nnU-Net v2."""
