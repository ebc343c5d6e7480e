import Crypto
import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoSQLite
import HongbaoServer

/// Claims through the real server as a process of its own, over loopback, each answered when it's durable. The load
/// generator shares the machine.
struct HTTPClaimsBench: Sendable {
    let bench: Bench

    /// Each has shown their token before: the server knows them.
    private static let people = 10_000
    private static let hotPackets = 300
    private static let packetCount = 10_000

    func run() async throws -> [Figure] {
        let one = Figure(name: "one packet, one by one", unit: "claims/s")
        let hot = Figure(name: "one packet", unit: "claims/s", goal: 15_000, baseline: one.name)
        let constant = Figure(name: "constant answer, nothing kept", unit: "requests/s")
        let spread = Figure(name: "10,000 packets", unit: "claims/s", baseline: constant.name)
        return try await bench.withFolder { folder in
            let listener = try SilentListener()
            let place = try await Place(folder: "\(folder)/data", spreads: bench.wants(spread), bench)
            let ownPlace = try await Place(folder: "\(folder)/one-by-one", spreads: false, bench)
            let server = try ServerProcess.hongbao(
                data: place.folder,
                campaign: bench.campaignFile,
                serviceKey: "not-used",
                // What brings shares to people's change hangs.
                settings: ["HONGBAO_TRANSFERS_URL": listener.url, "HONGBAO_TRANSFERS_SECRET": "not-used"]
            )
            defer { server.stop() }
            let other = try ServerProcess.oneByOne(
                data: ownPlace.folder,
                campaign: bench.campaignFile,
                transfers: listener.url
            )
            defer { other.stop() }
            let baseline = try ServerProcess.constant()
            defer { baseline.stop() }
            // Before the servers, which wait for what they have asked it.
            defer { listener.close() }
            let constants = Array("POST /v1/grants HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".utf8)
            let figures = try await bench.measure([
                Measurement(hot, value: { try await load(server.port) { place.writeHot(to: &$0) } }),
                Measurement(one, value: { try await load(other.port) { ownPlace.writeHot(to: &$0) } }),
                Measurement(spread, value: { try await load(server.port) { place.writeSpread(to: &$0) } }),
                Measurement(constant, value: { try await load(baseline.port) { $0 = constants } }),
            ])
            try await place.checkClaims()
            try await ownPlace.checkClaims()
            return figures
        }
    }

    private func load(_ port: UInt16, _ prepare: @escaping @Sendable (inout [UInt8]) -> Void) async throws -> Double {
        let load = HTTPLoad(port: port, threads: 2, connectionsPerThread: 128, bodyBytesMin: 40, prepare: prepare)
        return try await load.rate(seconds: bench.seconds)
    }

    /// A data folder with packets in it, and requests for shares of them: no person asks twice for the same one.
    private struct Place: Sendable {
        let folder: String
        private let hot: [RedPacketID]
        private let many: [RedPacketID]
        /// All of a request behind the packet's number, for each person.
        private let tails: [[UInt8]]
        private let hotTurns = Turns()
        private let spreadTurns = Turns()

        private static let head = Array("POST /v1/red-packets/".utf8)

        init(folder: String, spreads: Bool, _ bench: Bench) async throws {
            self.folder = folder
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let keyring = try Server.loadKeyring(folder: folder, isNew: true)
            (hot, many) = try await bench.withEngine(folder: folder, keyring: keyring) { engine in
                let source = PacketSource(engine)
                let hot = try await source.send(hotPackets, count: 2 * people)
                return (hot, spreads ? try await source.send(packetCount, count: 1_000) : [])
            }
            let accounts = try DemoAccounts(DemoConfiguration(seed: keyring.jwtSeed.withUnsafeBytes { Array($0) }))
            let now = WallClock.system.now()
            tails = try (0..<people).map { index in
                let jwt = try accounts.token(for: GrantSource.person(index), app: GrantSource.app, at: now)
                let tail =
                    "/claims HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(jwt)\r\n"
                    + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                return Array(tail.utf8)
            }
        }

        /// Everybody at one packet, then everybody at the next.
        func writeHot(to request: inout [UInt8]) {
            let turn = hotTurns.take()
            precondition(turn / people < hot.count, "more requests than there are packets for")
            write(hot[turn / people], tails[turn % people], to: &request)
        }

        /// Everybody at another packet, then each at the one behind it.
        func writeSpread(to request: inout [UInt8]) {
            let turn = spreadTurns.take()
            let (round, person) = turn.quotientAndRemainder(dividingBy: people)
            precondition(round < 1_000, "more requests than there are shares")
            write(many[(person + round) % many.count], tails[person], to: &request)
        }

        private func write(_ packet: RedPacketID, _ tail: [UInt8], to request: inout [UInt8]) {
            request.removeAll(keepingCapacity: true)
            request += Self.head
            request += String(packet.rawValue).utf8
            request += tail
        }

        /// Every request that was answered has its claim.
        func checkClaims() async throws {
            let store = try Server.openStore(folder, access: .readOnly)
            let packets = hot + many
            let claimed = try await store.read { (snapshot) throws(StoreError) in
                var count = 0
                for packet in packets { count += try snapshot.packet(packet)?.claimedCount ?? 0 }
                return count
            }
            try await store.close()
            let asked = hotTurns.taken + spreadTurns.taken
            guard claimed == asked else { throw BenchFault("\(asked) requests made \(claimed) claims") }
        }
    }
}
