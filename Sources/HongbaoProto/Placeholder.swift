package enum PlaceholderHongbaoProto {}
