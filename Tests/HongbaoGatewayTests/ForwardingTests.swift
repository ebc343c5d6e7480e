import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import Testing

/// A node that is asked for what another one does.
@Suite(.timeLimit(.minutes(5))) struct ForwardingTests {
    private static let mark = HTTPField.Name("Hongbao-Forwarded")
    private static let rainOrder = SceneID(book: BookID(campaign: 7, phase: .live), number: 1).rawValue

    private static func detail(_ answer: TestResponse) -> String { answer.object["detail"] as? String ?? "" }

    // MARK: Whole requests

    @Test func whatIsReadElsewhereComesBackAsItIs() async throws {
        try await TwoNodes().run { nodes in
            let granted = try await nodes.second.send(
                .post,
                "/v1/grants",
                json: grantJSON(),
                token: GatewayRig.grantKey
            )
            #expect(granted.status == .ok)
            // So that nothing changes between two looks.
            try await nodes.second.engine.drain()
            let jwt = try nodes.first.jwt(42)
            let id = try #require(HTTPField.Name("X-Request-Id"))
            let uri = "/v1/wallet?campaign=test"
            let answer = try await nodes.first.send(.get, uri, token: jwt, headers: [id: "id-1"])
            let direct = try await nodes.second.send(.get, uri, token: jwt, headers: [id: "id-1"])
            #expect(answer.status == .ok && answer.object["balance"] as? Int == 100)
            #expect(answer.text == direct.text)
            var (headers, others) = (answer.headers, direct.headers)
            (headers[.date], others[.date]) = (nil, nil)
            #expect(headers == others)
            #expect(nodes.calls.sorted == ["second grant 42", "second wallet 42", "second wallet 42"])
            let metrics = try await nodes.first.send(.get, "/metrics").text
            #expect(metrics.contains(#"hongbao_forwards_total{outcome="answered"} 1"#))
        }
    }

    @Test func headIsForwarded() async throws {
        try await TwoNodes().run { nodes in
            let jwt = try nodes.first.jwt(42)
            let uri = "/v1/wallet?campaign=test"
            let head = try await nodes.first.send(.head, uri, token: jwt)
            let direct = try await nodes.second.send(.get, uri, token: jwt)
            #expect(head.status == .ok && head.text.isEmpty)
            #expect(head.headers[.contentLength] == String(direct.bytes.count))
            #expect(nodes.calls.sorted == ["second wallet 42", "second wallet 42"])
        }
    }

    @Test func bodiesAndProblemsPassUnchanged() async throws {
        try await TwoNodes().run { nodes in
            let jwt = try nodes.first.jwt(42)
            for (uri, json) in [
                ("/v1/wallet/withdrawals", #"{"campaign":"test","id":"w","amount":1}"#),
                ("/v1/wallet/withdrawals", #"{"campaign":"test","id":"w","amount":1.5}"#),
                ("/v1/wallet?campaign=test", #"{"tokens":["AQ"]}"#), ("/v1/wallet?campaign=none", #"{"tokens":[]}"#),
                ("/v1/grants", grantJSON(amount: "20001")), ("/v1/grants", grantJSON()),
            ] {
                let token = uri == "/v1/grants" ? GatewayRig.grantKey : jwt
                let answer = try await nodes.first.send(.post, uri, json: json, token: token)
                let direct = try await nodes.second.send(.post, uri, json: json, token: token)
                #expect(answer.status == direct.status, "\(json)")
                #expect(answer.headers[.contentType] == direct.headers[.contentType])
                #expect(answer.text.replacing(#""replayed":false"#, with: #""replayed":true"#) == direct.text)
            }
            #expect(nodes.calls.sorted.allSatisfy { $0.hasPrefix("second ") })
            #expect(nodes.calls.sorted.contains("second withdraw 42"))
        }
    }

    /// What only shows a wallet is told from what changes one: query nodes do it themselves (DP-2).
    @Test func whatShowsAWalletHasAPlaceOfItsOwn() async throws {
        var two = TwoNodes()
        two.place = { concern, second in
            if case .wallet = concern { return .here }
            return .at(second)
        }
        try await two.run { nodes in
            let jwt = try nodes.first.jwt(42)
            for path in ["/v1/wallet", "/v1/wallet/statement", "/v1/wallet/rewards", "/v1/subsidies"] {
                let answer = try await nodes.first.send(.get, "\(path)?campaign=test", token: jwt)
                #expect(answer.status == .ok, "\(path)")
            }
            for path in ["/v1/wallet", "/v1/subsidies"] {
                let uri = "\(path)?campaign=test"
                let answer = try await nodes.first.send(.post, uri, json: #"{"tokens":[]}"#, token: jwt)
                #expect(answer.status == .ok, "\(path)")
            }
            let summary = "/v1/persons/42/summary?campaign=test"
            #expect(try await nodes.first.send(.get, summary, token: GatewayRig.readKey).status == .ok)
            #expect(nodes.calls.sorted == Array(repeating: "first wallet 42", count: 7))
            let withdrawal = #"{"campaign":"test","id":"w","amount":1}"#
            _ = try await nodes.first.send(.post, "/v1/wallet/withdrawals", json: withdrawal, token: jwt)
            #expect(nodes.calls.sorted.contains("second withdraw 42"))
        }
    }

    /// Who isn't let in isn't passed on, and what can't be read is refused where it's read.
    @Test func whatIsRefusedStaysHere() async throws {
        try await TwoNodes().run { nodes in
            let jwt = try nodes.first.jwt(42)
            let key = GatewayRig.readKey
            let table: [(String, String?, String)] = [
                ("/v1/wallet?campaign=test", nil, "401 unauthorized"),
                ("/v1/grants/1_2_3_4", key, "404 not_found"), ("/v1/persons/x/summary", key, "404 not_found"),
                ("/v1/red-packets/x", jwt, "404 not_found"),
                ("/v1/wallet?campaign=%zz", jwt, "400 malformed"), ("/v1/wallet?campaign=%7", jwt, "400 malformed"),
                ("/v1/wallet?campaign=te#st", jwt, "400 malformed"),
            ]
            for (uri, token, expected) in table {
                #expect(try await nodes.first.send(.get, uri, token: token).problem() == expected, "\(uri)")
            }
            let item = grantJSON(amount: "1.5")
            let grant = try await nodes.first.send(.post, "/v1/grants", json: item, token: GatewayRig.grantKey)
            #expect(grant.problem() == "422 amount_invalid amount")
            #expect(nodes.calls.sorted.isEmpty)
            let metrics = try await nodes.first.send(.get, "/metrics").text
            #expect(metrics.contains(#"hongbao_forwards_total{outcome="answered"} 0"#))
        }
    }

    /// What is about nobody in particular is done by a node that has people, and a gateway has none.
    @Test func aGatewayPassesOnWhatIsAboutNobody() async throws {
        var nodes = TwoNodes()
        nodes.place = { concern, second in concern == .anybody ? .at(second) : .here }
        try await nodes.run { nodes in
            let uri = "/v1/budgets/test/rain"
            let answer = try await nodes.first.send(.get, uri, token: GatewayRig.readKey)
            let direct = try await nodes.second.send(.get, uri, token: GatewayRig.readKey)
            #expect(answer.status == .ok && answer.text == direct.text)
            // Unsigned, and refused there.
            let callback = try await nodes.first.send(.post, "/v1/callbacks/payouts", json: "{}")
            #expect(callback.problem() == "401 unauthorized")
            for uri in ["/livez", "/v1/version", "/v1/totals/test"] { _ = try await nodes.first.send(.get, uri) }
            let metrics = try await nodes.first.send(.get, "/metrics").text
            #expect(metrics.contains(#"hongbao_forwards_total{outcome="answered"} 2"#))
        }
    }

    /// ID-3: a person is placed by who they are, whatever name is used.
    @Test func aliasesGoWhereThePersonIs() async throws {
        var nodes = TwoNodes()
        nodes.person = { $0 == PersonID(7) ? PersonID(8) : $0 }
        nodes.place = { concern, second in
            [.person(PersonID(8)), .wallet(PersonID(8))].contains(concern) ? .at(second) : .here
        }
        try await nodes.run { nodes in
            for person in [7, 9] as [UInt64] {
                _ = try await nodes.first.send(.get, "/v1/wallet?campaign=test", token: try nodes.first.jwt(person))
                let order = "/v1/grants/\(person)_\(Self.rainOrder)_1_1_0"
                for uri in [order, "/v1/persons/\(person)/summary?campaign=test"] {
                    _ = try await nodes.first.send(.get, uri, token: GatewayRig.grantKey)
                }
                let json = grantJSON(person: #""\#(person)""#)
                _ = try await nodes.first.send(.post, "/v1/grants", json: json, token: GatewayRig.grantKey)
                let batch = #"{"grants":[\#(json)]}"#
                _ = try await nodes.first.send(.post, "/v1/grants/batch", json: batch, token: GatewayRig.grantKey)
            }
            #expect(
                nodes.calls.sorted == [
                    "first find 9", "first grant 9", "first grant 9", "first wallet 9", "first wallet 9",
                    "second find 7", "second grant 7", "second grant 7", "second wallet 7", "second wallet 7",
                ]
            )
        }
    }

    // MARK: No answer

    private static let requests: [(HTTPRequest.Method, String, String?, Bool)] = [
        (.get, "/v1/wallet?campaign=test", nil, true),
        (.post, "/v1/wallet/withdrawals", #"{"campaign":"test","id":"w","amount":1}"#, true),
        (.get, "/v1/grants/1_\(rainOrder)_1_1_0", nil, false),
        (.get, "/v1/persons/1/summary?campaign=test", nil, false),
        (.post, "/v1/grants", grantJSON(), false),
    ]

    /// All are answered so by the first node, and nobody does them.
    private static func expectUnavailable(
        _ nodes: TwoNodes,
        headers: HTTPFields = [:],
        detail: String,
        outcome: String
    ) async throws {
        try await nodes.run { nodes in
            for (method, uri, json, isPerson) in requests {
                let answer = try await nodes.first.send(
                    method,
                    uri,
                    json.map { Array($0.utf8) },
                    token: isPerson ? try nodes.first.jwt(1) : GatewayRig.grantKey,
                    headers: headers
                )
                #expect(answer.problem() == "503 unavailable", "\(uri)")
                #expect(answer.headers[.retryAfter] == "1" && answer.object["retryable"] as? Bool == true)
                #expect(Self.detail(answer).contains(detail), "\(uri)")
            }
            let batch = try await nodes.first.send(
                .post,
                "/v1/grants/batch",
                Array(#"{"grants":[\#(grantJSON())]}"#.utf8),
                token: GatewayRig.grantKey,
                headers: headers
            )
            #expect(batch.status == .ok && batch.text.contains(#""code":"unavailable""#))
            #expect(batch.text.contains(detail))
            #expect(nodes.calls.sorted.isEmpty)
            let metrics = try await nodes.first.send(.get, "/metrics").text
            #expect(metrics.contains("hongbao_forwards_total{outcome=\"\(outcome)\"} \(requests.count + 1)"))
        }
    }

    /// Twice is enough for people who were merged; more would be a circle.
    @Test(arguments: ["2", "3", "0", "-1", "x", ""])
    func whatWasForwardedTwiceIsNotForwardedAgain(forwards: String) async throws {
        let headers = [try #require(Self.mark): forwards] as HTTPFields
        try await Self.expectUnavailable(TwoNodes(), headers: headers, detail: "is changing", outcome: "refused")
    }

    @Test func whatWasForwardedOnceIsForwardedOnceMore() async throws {
        try await TwoNodes().run { nodes in
            let headers = [try #require(Self.mark): "1"] as HTTPFields
            let jwt = try nodes.first.jwt(42)
            let answer = try await nodes.first.send(.get, "/v1/wallet?campaign=test", token: jwt, headers: headers)
            #expect(answer.status == .ok && nodes.calls.sorted == ["second wallet 42"])
        }
    }

    @Test func withNobodyResponsibleItIsUnavailable() async throws {
        var nodes = TwoNodes()
        nodes.place = { _, _ in .nowhere }
        try await Self.expectUnavailable(nodes, detail: "is changing", outcome: "refused")
    }

    @Test func withoutAClientNothingIsForwarded() async throws {
        var nodes = TwoNodes()
        nodes.hasClient = false
        try await Self.expectUnavailable(nodes, detail: "is changing", outcome: "refused")
    }

    @Test func whoIsDownDoesNotAnswer() async throws {
        var nodes = TwoNodes()
        nodes.place = { _, _ in .at(TwoNodes.nowhere) }
        try await Self.expectUnavailable(nodes, detail: "doesn't answer", outcome: "failed")
    }

    /// The second node is asked, but says that it isn't for it, and the third one doesn't answer.
    @Test func nodesThatDisagreeEndIt() async throws {
        var nodes = TwoNodes()
        nodes.secondPlace = { _ in .at(TwoNodes.nowhere) }
        try await Self.expectUnavailable(nodes, detail: "doesn't answer", outcome: "answered")
    }

    /// RP-8: the place of a packet is for speed only.
    @Test func packetsAreDoneAnywhere() async throws {
        var nodes = TwoNodes()
        nodes.secondPlace = { _ in .at(TwoNodes.nowhere) }
        nodes.place = { concern, second in
            concern == .packet(RedPacketID(5)) ? .at(second) : concern == .packet(RedPacketID(6)) ? .nowhere : .here
        }
        try await nodes.run { nodes in
            for packet in 5...7 {
                let uri = "/v1/red-packets/\(packet)"
                let answer = try await nodes.first.send(.get, uri, token: try nodes.first.jwt(1))
                #expect(answer.problem() == "404 not_found")
            }
            #expect(nodes.calls.sorted == ["first look 6", "first look 7", "second look 5"])
        }
    }

    // MARK: Bounds

    @Test(arguments: [(1 << 20, "200"), (17 << 20, "503 unavailable")])
    func answersAreBounded(_ length: Int, _ expected: String) async throws {
        var nodes = TwoNodes()
        nodes.changeSecond = { services in
            services.grant = { requests in
                requests.map { request in
                    let order = OrderNumber(
                        person: request.person,
                        scene: SceneID(1),
                        rain: request.rain,
                        awardType: request.awardType,
                        stage: request.stage
                    )
                    let token = [UInt8](repeating: 1, count: length)
                    return .granted(
                        Granted(
                            order: order,
                            status: .processing,
                            amount: .one,
                            rewardID: "cash",
                            token: token,
                            isReplay: false
                        )
                    )
                }
            }
        }
        try await nodes.run { nodes in
            let answer = try await nodes.first.send(.post, "/v1/grants", json: grantJSON(), token: GatewayRig.grantKey)
            #expect((answer.status == .ok ? "200" : answer.problem()) == expected)
            let batch = try await nodes.first.send(
                .post,
                "/v1/grants/batch",
                json: #"{"grants":[\#(grantJSON())]}"#,
                token: GatewayRig.grantKey
            )
            #expect(batch.status == .ok && batch.text.contains("unavailable") == (expected != "200"))
        }
    }

    /// Also routes that aren't cut off wait for another node only so long.
    @Test(arguments: ["/v1/grants", "/v1/wallet/withdrawals"])
    func silentNodesAreNotWaitedForWithoutEnd(_ uri: String) async throws {
        let (answered, end) = AsyncStream<Void>.makeStream()
        var nodes = TwoNodes()
        nodes.requestTimeout = .seconds(1)
        nodes.changeSecond = { services in
            services.grant = { requests in
                for await _ in answered {}
                return requests.map { _ in .refused(.overloaded) }
            }
            services.requestWithdrawal = { _, _, _, _ in
                for await _ in answered {}
                return .closed
            }
        }
        try await nodes.run { nodes in
            let isGrant = uri == "/v1/grants"
            let answer = try await nodes.first.send(
                .post,
                uri,
                json: isGrant ? grantJSON() : #"{"campaign":"test","id":"w","amount":1}"#,
                token: isGrant ? GatewayRig.grantKey : try nodes.first.jwt(1)
            )
            end.finish()
            #expect(answer.problem() == "503 unavailable")
            let metrics = try await nodes.first.send(.get, "/metrics").text
            #expect(metrics.contains(#"hongbao_forwards_total{outcome="failed"} 1"#))
        }
    }
}
