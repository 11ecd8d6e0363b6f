"""Plots of run directories, probes, studies and samples."""
