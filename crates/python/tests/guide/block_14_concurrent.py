# 从小的并发数开始
concurrent_requests = [1, 2, 4]  # 而不是 [1, 2, 4, 8, 16]
