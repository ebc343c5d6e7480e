package enum PlaceholderHongbaoServer {}
