"""MNIST, folders of images, crops of photographs, letters."""
