package enum PlaceholderHongbaoTesting {}
