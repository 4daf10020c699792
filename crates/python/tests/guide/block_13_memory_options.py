benchmark = MemoryBenchmark(
    gc_before_measure=True,  # 测量前进行垃圾回收
    measure_peak=True        # 测量峰值而非瞬时值
)
