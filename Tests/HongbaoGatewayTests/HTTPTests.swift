import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import NIOCore
import NIOPosix
import Testing

@Suite struct HTTPTests {
    private static let requestID = HTTPField.Name("X-Request-Id")

    @Test func strangersGetProblemsToo() async throws {
        try await GatewayRig().run { caller in
            for uri in [
                "/nothing", "/v1", "/v1/grants/", "//v1/grants", "/v1/grants/1/2", "/v1/GRANTS", "/assets/", "/%2e",
            ] {
                #expect(try await caller.send(.get, uri).problem() == "404 not_found", "\(uri)")
            }
            let table: [(HTTPRequest.Method, String, String)] = [
                (.get, "/v1/grants", "POST"), (.put, "/v1/wallet", "GET, HEAD, POST"), (.delete, "/livez", "GET, HEAD"),
                (.post, "/v1/grants/1_1_1_1_1", "GET, HEAD"), (.options, "/v1/grants/batch", "POST"),
            ]
            for (method, uri, allow) in table {
                let answer = try await caller.send(method, uri)
                #expect(answer.problem() == "405 method_not_allowed")
                #expect(answer.headers[.allow] == allow)
            }
        }
    }

    @Test func mediaTypesAreChecked() async throws {
        try await GatewayRig().run { caller in
            let body = Array(grantJSON().utf8)
            for type in ["text/plain", "application/xml", "application/json; charset=gbk", "", "application/jsonx"] {
                let answer = try await caller.send(.post, "/v1/grants", body, type: type, token: GatewayRig.grantKey)
                #expect(answer.problem() == "415 unsupported_media_type Content-Type", "\(type)")
            }
            let none = try await caller.send(.post, "/v1/grants", body, type: nil, token: GatewayRig.grantKey)
            #expect(none.problem() == "415 unsupported_media_type Content-Type")
            for type in ["application/json", "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8"] {
                let answer = try await caller.send(.post, "/v1/grants", body, type: type, token: GatewayRig.grantKey)
                #expect(answer.status == .ok, "\(type)")
            }
            let wallet = try await caller.send(
                .post,
                "/v1/wallet?campaign=test",
                [10, 0],
                type: "application/x-protobuf",
                token: try caller.jwt(1)
            )
            #expect(wallet.problem() == "415 unsupported_media_type Content-Type")
            let packed = try await caller.send(
                .post,
                "/v1/grants",
                body,
                token: GatewayRig.grantKey,
                headers: [.contentEncoding: "gzip"]
            )
            #expect(packed.problem() == "415 unsupported_media_type Content-Encoding")
        }
    }

    @Test(arguments: [TestingSetup.router, .live]) func bodiesAreBounded(_ setup: TestingSetup) async throws {
        var rig = try GatewayRig()
        rig.configuration.bodyBytesMax = 4096
        try await rig.run(setup) { caller in
            let fits = grantJSON() + String(repeating: " ", count: 4096 - grantJSON().utf8.count)
            let good = try await caller.send(.post, "/v1/grants", json: fits, token: GatewayRig.grantKey)
            #expect(good.status == .ok)
            let large = try await caller.send(.post, "/v1/grants", json: fits + " ", token: GatewayRig.grantKey)
            #expect(large.problem() == "413 body_too_large")
            #expect(large.headers[.connection] == "close")
        }
    }

    @Test func requestIDsComeBack() async throws {
        try await GatewayRig().run { caller in
            let name = try #require(Self.requestID)
            for given in ["abc-123", "a.b_C", String(repeating: "x", count: 64)] {
                let answer = try await caller.send(.get, "/livez", headers: [name: given])
                #expect(answer.headers[name] == given)
            }
            var made = Set<String>()
            for bad in ["", "a b", "a\"b", "é", String(repeating: "x", count: 65)] {
                let answer = try await caller.send(.get, "/nothing", headers: [name: bad])
                let id = try #require(answer.headers[name])
                #expect(id != bad && !id.isEmpty)
                made.insert(id)
            }
            #expect(made.count == 5)
        }
    }

    @Test func overloadIsAnsweredAtOnce() async throws {
        var rig = try GatewayRig()
        rig.configuration.inFlightMax = 1
        rig.configuration.requestTimeout = .milliseconds(50)
        // The only request that may be at work waits until its deadline.
        rig.change = { services in
            services.findWithdrawal = { (_) throws(StoreError) in
                do {
                    try await Task.sleep(for: .seconds(3600))
                } catch {
                    // Cut off, as it should be.
                }
                return nil
            }
        }
        try await rig.run { caller in
            let jwt = try caller.jwt(1)
            let statuses = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        let path = "/v1/wallet/withdrawals/w1?campaign=test"
                        return try await caller.send(.get, path, token: jwt).problem()
                    }
                }
                return try await group.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
            }
            #expect(statuses["503 unavailable", default: 0] >= 1)
            #expect(statuses["503 overloaded", default: 0] + statuses["503 unavailable", default: 0] == 20)
            #expect(try await caller.send(.get, "/livez").status == .ok)
        }
    }

    @Test func faultsAreUnavailableAndSayNothing() async throws {
        var rig = try GatewayRig()
        rig.change = { services in
            let fault = StoreError(.outcomeUnknown, "disk full at /secret")
            services.grant = { $0.map { _ in .unavailable(fault) } }
            services.findGrant = { (_) throws(StoreError) in throw fault }
            services.budget = { (_, _) throws(StoreError) in throw fault }
            services.requestWithdrawal = { _, _, _, _ in .unavailable(fault) }
            services.findWithdrawal = { (_) throws(StoreError) in throw StoreError(.corrupt, "/secret") }
        }
        try await rig.run { caller in
            let jwt = try caller.jwt(1)
            let order = "1_\(SceneID(book: BookID(campaign: 7, phase: .live), number: 1).rawValue)_1_1_0"
            let answers = [
                try await caller.send(.post, "/v1/grants", json: grantJSON(), token: GatewayRig.grantKey),
                try await caller.send(.get, "/v1/grants/\(order)", token: GatewayRig.grantKey),
                try await caller.send(.get, "/v1/budgets/test/rain", token: GatewayRig.grantKey),
                try await caller.send(
                    .post,
                    "/v1/wallet/withdrawals",
                    json: #"{"campaign":"test","id":"w","amount":1}"#,
                    token: jwt
                ),
                try await caller.send(.get, "/v1/wallet/withdrawals/w?campaign=test", token: jwt),
            ]
            #expect(answers.map { $0.problem() } == Array(repeating: "503 unavailable", count: 4) + ["500 internal"])
            for answer in answers { #expect(!answer.text.contains("secret") && !answer.text.contains("disk")) }
            let batch = try await caller.send(
                .post,
                "/v1/grants/batch",
                json: #"{"grants":[\#(grantJSON())]}"#,
                token: GatewayRig.grantKey
            )
            #expect(batch.status == .ok && batch.text.contains(#""code":"unavailable""#))
        }
    }

    @Test func drainingIsSeen() async throws {
        let rig = try GatewayRig()
        try await rig.run { caller in
            #expect(try await caller.send(.get, "/readyz").text == "ok\n")
            #expect(try await caller.send(.get, "/readyz?verbose").text == "[+] accepting\nok\n")
            rig.readiness.startDraining()
            let answer = try await caller.send(.get, "/readyz?verbose")
            #expect(answer.status == .serviceUnavailable && answer.text == "[-] accepting\nnot ready\n")
            #expect(answer.headers[.retryAfter] == "1")
            #expect(try await caller.send(.get, "/livez").status == .ok)
        }
    }

    @Test func readinessHasChecks() async throws {
        var rig = try GatewayRig()
        rig.readiness = Readiness(checks: [.init("store") { true }, .init("log") { false }])
        try await rig.run { caller in
            let answer = try await caller.send(.get, "/readyz?verbose")
            #expect(answer.status == .serviceUnavailable)
            #expect(answer.text == "[+] accepting\n[+] store\n[-] log\nnot ready\n")
            #expect(try await caller.send(.get, "/readyz").text == "not ready\n")
        }
    }

    @Test func versionAndHead() async throws {
        try await GatewayRig().run { caller in
            let version = try await caller.send(.get, "/v1/version")
            #expect(version.text == #"{"name":"hongbao","version":"1.2.3","api":"v1","campaigns":"test"}"#)
            let head = try await caller.send(.head, "/v1/version")
            #expect(head.status == .ok && head.text.isEmpty)
            #expect(head.headers[.contentLength] == version.headers[.contentLength])
        }
    }

    // MARK: Pages

    @Test func pagesAreServedStrictly() async throws {
        try await GatewayRig().run { caller in
            let root = try await caller.send(.get, "/")
            #expect(root.status == .temporaryRedirect && root.headers[.location] == "/wallet")
            let table = [
                ("/wallet", "text/html; charset=utf-8"), ("/wallet?campaign=x&utm=1", "text/html; charset=utf-8"),
                ("/assets/wallet.css", "text/css; charset=utf-8"),
                ("/assets/wallet.js", "text/javascript; charset=utf-8"),
                ("/favicon.ico", "image/svg+xml"), ("/openapi.json", "application/json"),
            ]
            for (uri, type) in table {
                let answer = try await caller.send(.get, uri)
                #expect(answer.status == .ok && answer.headers[.contentType] == type, "\(uri)")
                #expect(!answer.text.isEmpty)
                #expect(answer.headers[.xContentTypeOptions] == "nosniff")
                #expect(
                    answer.headers[.contentSecurityPolicy]
                        == "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                        + "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
                )
                #expect(answer.headers[try #require(HTTPField.Name("Referrer-Policy"))] == "no-referrer")
                let tag = try #require(answer.headers[.eTag])
                for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
                    let again = try await caller.send(.get, uri, headers: [.ifNoneMatch: known])
                    #expect(again.status == .notModified && again.text.isEmpty)
                }
                let changed = try await caller.send(.get, uri, headers: [.ifNoneMatch: "\"x\""])
                #expect(changed.status == .ok)
            }
            for uri in ["/assets/none.js", "/assets/..", "/assets/..%2fwallet.css", "/assets/wallet.html/x"] {
                #expect(try await caller.send(.get, uri).problem() == "404 not_found", "\(uri)")
            }
        }
    }
}

/// What only a real connection shows.
@Suite struct ConnectionTests {
    /// Writes raw bytes to a live server and answers all that comes back until it closes the connection.
    private static func exchange(
        _ rig: GatewayRig,
        _ pieces: [String]
    ) async throws -> String {
        try await rig.run(.live) { caller in
            let port = try #require(caller.client.port)
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            return try await channel.executeThenClose { inbound, outbound in
                for piece in pieces {
                    try await outbound.write(ByteBuffer(string: piece))
                }
                var text = ""
                for try await bytes in inbound { text += String(buffer: bytes) }
                return text
            }
        }
    }

    @Test func whatIsNotHTTPEndsTheConnection() async throws {
        let answer = try await Self.exchange(GatewayRig(), ["HELLO \u{1}\r\n\r\n"])
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
    }

    @Test func headersAreBounded() async throws {
        var rig = try GatewayRig()
        rig.configuration.headerBytesMax = 2048
        let long = String(repeating: "a", count: 4096)
        let answer = try await Self.exchange(rig, ["GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: \(long)\r\n\r\n"])
        #expect(!answer.contains("200 OK"))
    }

    @Test func silentConnectionsAreClosed() async throws {
        var rig = try GatewayRig()
        rig.configuration.idleTimeout = .milliseconds(50)
        #expect(try await Self.exchange(rig, []) == "")
    }

    /// The deadline counts from the body's first byte, however often something comes.
    @Test func slowBodiesAreCutOff() async throws {
        var rig = try GatewayRig()
        rig.configuration.requestTimeout = .nanoseconds(1)
        let head =
            "POST /v1/demo/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        let answer = try await Self.exchange(rig, [head, "{", " "])
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains(#""code":"unavailable""#))
    }

    /// Unwanted bodies aren't taken in without end.
    @Test func endlessBodiesEndTheConnection() async throws {
        var rig = try GatewayRig()
        rig.configuration.bodyBytesMax = 1024
        let head = "POST /v1/grants HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        let chunk = "800\r\n" + String(repeating: "a", count: 2048) + "\r\n"
        let answer = try await Self.exchange(rig, [head, chunk])
        #expect(answer.hasPrefix("HTTP/1.1 401 "))
        #expect(answer.lowercased().contains("connection: close"))
    }
}
