"""The shell around the core: reads, sends, journals. Each effect has its intent on disk before it leaves."""
