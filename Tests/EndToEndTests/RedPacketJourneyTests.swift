import AsyncHTTPClient
import Foundation
import Glibc
import HongbaoTesting
import NIOCore
import NIOHTTP1
import Testing

@testable import hongbao_dev

/// Red packets against the built server, over HTTP alone (RP-1, RP-2, RP-3).
@Suite(.serialized, .timeLimit(.minutes(15))) struct RedPacketJourneyTests {
    /// FC-6: without a cashier nobody can pay, and all else is there.
    @Test func withoutACashierNobodyPays() async throws {
        let folder = try TemporaryFolder()
        let server = try await LiveServer.start(data: "\(folder.path)/data", log: "\(folder.path)/log")
        let (_, jwt) = try await server.logIn("alice")
        let json = #"{"id":"p","kind":"c2c","amount":100,"count":2,"split":"lucky","scope":"everyone"}"#
        let sent = try await server.send(.POST, "/v1/red-packets", bearer: jwt, json: json)
        #expect(try sent.status == 409 && sent.string("code") == "payment_closed", "\(sent.text)")
        let claim = try await server.send(.POST, "/v1/red-packets/7/claims", bearer: jwt, json: "{}")
        #expect(try claim.status == 404 && claim.string("code") == "not_found", "\(claim.text)")
        let nobody = try await server.send(.POST, "/v1/red-packets/7/claims", json: "{}")
        #expect(nobody.status == 401)
        for page in ["/red-packets/7", "/red-packets/new", "/assets/packet.js", "/assets/split.js"] {
            let answer = try await server.send(.GET, page)
            #expect(answer.status == 200, "\(page)")
            #expect(answer.headers.first(name: "Content-Security-Policy")?.contains("default-src 'none'") == true)
        }
        try await server.stop()
    }

    /// The rain gives a subsidy; with it a packet is sent, twenty claim it at once, see everybody's luck, check it, and
    /// withdraw what they got.
    @Test func aSubsidyBecomesAPacket() async throws {
        let folder = try TemporaryFolder()
        // Nobody listens there: what is withdrawn stays pending.
        let server = try await LiveServer.start(
            data: "\(folder.path)/data",
            log: "\(folder.path)/log",
            environment: ["HONGBAO_PAYOUTS_URL": "http://127.0.0.1:9", "HONGBAO_PAYOUTS_SECRET": "s"]
        )
        let sender = try await server.logIn("sender")
        let grant =
            #"{"campaign":"\#(KillTest.campaign)","scene":"rain-subsidy","rain":1,"awardType":3,"stage":0,"#
            + #""person":"\#(sender.person)","app":"douyin","amount":2000}"#
        let granted = try await server.send(.POST, "/v1/grants", bearer: KillTest.serviceKey, json: grant)
        let (subsidy, token) = (try granted.string("order"), try granted.string("token"))
        let json =
            #"{"id":"p","kind":"b2c","count":20,"split":"lucky","scope":"everyone","subsidy":"\#(subsidy)","#
            + #""token":"\#(token)"}"#
        let sent = try await server.send(.POST, "/v1/red-packets", bearer: sender.jwt, json: json)
        let packet = try sent.string("packet")
        let again = try await server.send(.POST, "/v1/red-packets", bearer: sender.jwt, json: json)
        #expect(sent.status == 200 && again.text == sent.text)

        let shares = try await Self.claimByTwenty(packet, on: server)
        #expect(shares.reduce(0) { $0 + $1.share } == 2_000 && shares.allSatisfy { $0.share > 0 })
        try await Self.expectHolds(packet, as: sender.jwt, commitment: try sent.string("commitment"), server, folder)
        for (jwt, share) in shares {
            #expect(try await server.balance(jwt) == share)
            let all = #"{"campaign":"\#(KillTest.campaign)","id":"w","amount":\#(share)}"#
            let withdrawal = try await server.send(.POST, "/v1/wallet/withdrawals", bearer: jwt, json: all)
            #expect(withdrawal.status == 200, "\(withdrawal.text)")
            #expect(try await server.balance(jwt) == 0)
        }
        try await server.stop()
        try await Self.expectSound(folder)
    }

    /// A person pays for a packet at the cashier; nobody calls back, so the server finds out by asking (AS-1). Twenty
    /// claim it at once, check it, and have it in their change.
    @Test func aPaymentBecomesAPacket() async throws {
        let folder = try TemporaryFolder()
        let sandbox = try await BuiltProgram(
            "hongbao-dev",
            ["sandbox", "--port", "0", "--data", "\(folder.path)/journal", "--key", "s", "--delay", "20"]
        )
        let server = try await LiveServer.start(
            data: "\(folder.path)/data",
            log: "\(folder.path)/log",
            environment: ["HONGBAO_CHANNELS_URL": sandbox.firstLine, "HONGBAO_CHANNELS_SECRET": "s"]
        )
        let sender = try await server.logIn("sender")
        let json =
            #"{"id":"p","kind":"c2c","amount":2000,"count":20,"split":"lucky","scope":"everyone","greeting":"新年好"}"#
        let sent = try await server.send(.POST, "/v1/red-packets", bearer: sender.jwt, json: json)
        let packet = try sent.string("packet")
        #expect(try sent.string("state") == "awaiting_payment", "\(sent.text)")
        #expect(try await server.send(.POST, "/v1/red-packets", bearer: sender.jwt, json: json).text == sent.text)
        let early = try await server.send(.POST, "/v1/red-packets/\(packet)/claims", bearer: sender.jwt, json: "{}")
        #expect(try early.status == 409 && early.string("code") == "not_paid")

        let sentObject = try JSONSerialization.jsonObject(with: Data(sent.text.utf8)) as? [String: Any]
        let payment = try #require(sentObject?["payment"] as? [String: String])
        #expect(payment["id"] == "p_\(packet)")
        try await Self.pay(at: try #require(payment["url"]))
        let path = "/v1/red-packets/\(packet)"
        try await BuiltProgram.until("the payment has arrived") {
            try await server.send(.GET, path, bearer: sender.jwt).string("state") == "open"
        }
        let shares = try await Self.claimByTwenty(packet, on: server)
        #expect(shares.reduce(0) { $0 + $1.share } == 2_000 && shares.allSatisfy { $0.share > 0 })
        try await Self.expectHolds(packet, as: sender.jwt, commitment: try sent.string("commitment"), server, folder)
        for (jwt, _) in shares {
            // Change isn't the wallet's.
            #expect(try await server.balance(jwt) == 0)
            try await BuiltProgram.until("the share has arrived") {
                try await server.send(.GET, path, bearer: jwt).text.contains(#""state":"credited""#)
            }
        }
        #expect(try await server.send(.GET, path, bearer: sender.jwt).string("state") == "finished")
        try await server.stop()
        sandbox.kill(SIGTERM)
        #expect(try await sandbox.exitCode() == 0)
        try await Self.expectSound(folder)
    }

    /// As the button of the payment page does.
    private static func pay(at page: String) async throws {
        var request = HTTPClientRequest(url: page)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.body = .bytes(ByteBuffer(string: "action=pay"))
        let response = try await LiveServer.client.execute(request, timeout: .seconds(30))
        _ = try await response.body.collect(upTo: 1 << 20)
        #expect(response.status.code < 400)
    }

    private static func claimByTwenty(
        _ packet: String,
        on server: LiveServer
    ) async throws -> [(jwt: String, share: Int64)] {
        try await withThrowingTaskGroup(of: (jwt: String, share: Int64).self) { group in
            for number in 0..<20 {
                group.addTask { try await claim(packet, "claimer-\(number)", on: server) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// The answer of the API, as it is, is what `hongbao verify-split` reads.
    private static func expectHolds(
        _ packet: String,
        as jwt: String,
        commitment: String,
        _ server: LiveServer,
        _ folder: TemporaryFolder
    ) async throws {
        let luck = try await server.send(.GET, "/v1/red-packets/\(packet)/claims?limit=100", bearer: jwt)
        let document = "\(folder.path)/packet.json"
        try Data(luck.text.utf8).write(to: URL(fileURLWithPath: document))
        let verify = ["verify-split", document, "--commitment", commitment]
        let (code, output, errors) = try await BuiltProgram.run("hongbao", verify)
        #expect(code == 0, "\(luck.text)\(output)\(errors)")
    }

    private static func expectSound(_ folder: TemporaryFolder) async throws {
        let (code, output, errors) = try await BuiltProgram.run("hongbao", ["audit", "--data", "\(folder.path)/data"])
        #expect(code == 0, "\(output)\(errors)")
    }

    /// Asks again when too many are at it, ten times at most (RP-7).
    private static func claim(
        _ packet: String,
        _ user: String,
        on server: LiveServer
    ) async throws -> (jwt: String, share: Int64) {
        let (_, jwt) = try await server.logIn(user)
        var answer = try await server.send(.POST, "/v1/red-packets/\(packet)/claims", bearer: jwt, json: "{}")
        for _ in 0..<10 where answer.status == 429 {
            answer = try await server.send(.POST, "/v1/red-packets/\(packet)/claims", bearer: jwt, json: "{}")
        }
        return (jwt, try answer.number("amount"))
    }
}
