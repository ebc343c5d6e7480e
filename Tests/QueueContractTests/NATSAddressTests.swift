#if NATS
    import HongbaoNATS
    import Testing

    @Suite struct NATSAddressTests {
        @Test func serversShareWhatIsSaidOnce() throws {
            let address = try #require(NATSAddress("tls://bao:secret@a:4223,b?ca=/ca.pem&credentials=/user.creds"))
            #expect(address.servers == ["tls://bao:secret@a:4223", "tls://bao:secret@b:4222"])
            #expect(address.requiresTLS && address.authorityFile == "/ca.pem")
            #expect(address.credentialsFile == "/user.creds" && address.keyFile == nil)
            // What is logged.
            #expect("\(address)" == "tls://a:4223,b:4222")
        }

        @Test(
            arguments: [
                "", "nats://", "a:4222", "http://a", "nats://a:0", "nats://a:70000", "nats://a:1:2", "nats://a,,b",
                "nats://@a", "nats://u@v@a", "nats://a b", "nats://a/x", "nats://a?", "nats://a?ca", "nats://a?ca=",
                "nats://a?ca=/x", "tls://a?certificate=/x", "tls://a?what=x", "tls://a?ca=/x&ca=/y",
            ]
        )
        func nothingElseIsAnAddress(_ text: String) { #expect(NATSAddress(text) == nil) }
    }
#endif
