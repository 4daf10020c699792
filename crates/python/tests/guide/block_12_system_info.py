reporter = BenchmarkReporter(
    include_system_info=True,  # 记录GPU、CPU、内存等信息
    include_model_info=True    # 记录模型配置
)
