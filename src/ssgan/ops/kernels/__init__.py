"""Operations written in C for CPUs, where PyTorch's are slow; each has a plain form besides."""
