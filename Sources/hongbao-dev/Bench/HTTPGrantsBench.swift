import Foundation
import HongbaoCore
import HongbaoProto
import SwiftProtobuf

/// Grants through the real server as a process of its own, over loopback, each answered when it's durable. The load
/// generator shares the machine.
struct HTTPGrantsBench: Sendable {
    let bench: Bench

    private static let serviceKey = "bench-key-of-the-load-generator"
    private static let batchSize = 100

    func runProtobuf() async throws -> [Figure] {
        let single = Figure(name: "single JSON requests", unit: "grants/s")
        let held = Figure(name: "batches of 100", unit: "grants/s", goal: 300_000, baseline: single.name)
        let posted = Figure(name: "while posting, batches of 100", unit: "grants/s", baseline: single.name)
        return try await bench.measure([
            Measurement(held, value: { try await batches(isPosting: false) }),
            Measurement(posted, value: { try await batches(isPosting: true) }),
            Measurement(single, value: { try await singles(isPosting: false) }),
        ])
    }

    func runJSON() async throws -> [Figure] {
        let constant = Figure(name: "constant answer, nothing kept", unit: "requests/s")
        let held = Figure(name: "single JSON grants", unit: "grants/s", goal: 20_000, baseline: constant.name)
        let posted = Figure(name: "while posting, single JSON grants", unit: "grants/s", baseline: constant.name)
        return try await bench.measure([
            Measurement(held, value: { try await singles(isPosting: false) }),
            Measurement(posted, value: { try await singles(isPosting: true) }),
            Measurement(constant, value: { try await constants() }),
        ])
    }

    // MARK: Servers

    private func withServer(isPosting: Bool, _ body: (UInt16) async throws -> Double) async throws -> Double {
        try await bench.withFolder { folder in
            let server = try ServerProcess.hongbao(
                data: "\(folder)/data",
                campaign: bench.campaignFile,
                serviceKey: Self.serviceKey,
                // One a second: as good as none.
                settings: isPosting ? [:] : ["HONGBAO_POSTING_RATE": "1"]
            )
            defer { server.stop() }
            return try await body(server.port)
        }
    }

    private func batches(isPosting: Bool) async throws -> Double {
        let template = try BatchTemplate(size: Self.batchSize, serviceKey: Self.serviceKey)
        let source = GrantSource(people: 1_000_000)
        return try await withServer(isPosting: isPosting) { port in
            try await Self.checkBatch(template, source, port)
            let load = HTTPLoad(port: port, threads: 2, connectionsPerThread: 12, bodyBytesMin: 300 * Self.batchSize) {
                template.write(to: &$0, from: source)
            }
            return try await load.rate(seconds: bench.seconds) * Double(Self.batchSize)
        }
    }

    private func singles(isPosting: Bool) async throws -> Double {
        let template = SingleTemplate(serviceKey: Self.serviceKey)
        let source = GrantSource(people: 1_000_000)
        return try await withServer(isPosting: isPosting) { port in
            let load = HTTPLoad(port: port, threads: 2, connectionsPerThread: 128, bodyBytesMin: 300) {
                template.write(to: &$0, from: source)
            }
            return try await load.rate(seconds: bench.seconds)
        }
    }

    private func constants() async throws -> Double {
        let template = SingleTemplate(serviceKey: Self.serviceKey)
        let source = GrantSource(people: 1_000_000)
        let server = try ServerProcess.constant()
        defer { server.stop() }
        let load = HTTPLoad(
            port: server.port,
            threads: 2,
            connectionsPerThread: 128,
            bodyBytesMin: ConstantServerCommand.bodyBytes
        ) { template.write(to: &$0, from: source) }
        return try await load.rate(seconds: bench.seconds)
    }

    /// Reads one answer in full: all others are only counted.
    private static func checkBatch(_ template: BatchTemplate, _ source: GrantSource, _ port: UInt16) async throws {
        let connection = try Connection(port: port)
        defer { connection.close() }
        var request: [UInt8] = []
        template.write(to: &request, from: source)
        try connection.send(request)
        var scratch = [UInt8](repeating: 0, count: 256 << 10)
        let body = try connection.receive(&scratch, bodyBytesMin: 1)
        let result = try WireGrantBatchResult(serializedBytes: Array(scratch[body]))
        guard result.results.count == batchSize, result.results.allSatisfy({ !$0.hasError && !$0.token.isEmpty }) else {
            throw BenchFault("a batch was answered \(result)")
        }
    }
}

/// A batch as protobuf, encoded once: for each request only people, rounds and amounts are written over.
private struct BatchTemplate: Sendable {
    private let bytes: [UInt8]
    private let places: [Places]

    private struct Places {
        let rain, awardType, stage, person, amount: Int
    }

    init(size: Int, serviceKey: String) throws {
        // Two-byte varints for amounts: 128 to 16,383 fen; single bytes for the parts of the order number.
        let grant = WireGrantRequest.with { grant in
            grant.campaign = GrantSource.campaign
            grant.scene = GrantSource.scene
            grant.rain = 1
            grant.awardType = 1
            grant.stage = 1
            grant.person = 1
            grant.app = GrantSource.app
            grant.amount = 200
        }
        let one: [UInt8] = try grant.serializedBytes()
        var body: [UInt8] = []
        var starts: [Int] = []
        for _ in 0..<size {
            body += [0x0A, UInt8(one.count)]
            starts.append(body.count)
            body += one
        }
        let head = Self.head(path: "/v1/grants/batch", type: "application/x-protobuf", serviceKey, length: body.count)
        bytes = head + body
        // Campaign and scene come first, each with a tag and a length.
        let rain = 4 + GrantSource.campaign.utf8.count + GrantSource.scene.utf8.count + 1
        let person = rain + 2 + 2 + 2
        let amount = person + 8 + 2 + GrantSource.app.utf8.count + 1
        places = starts.map { start in
            let start = head.count + start
            return Places(
                rain: start + rain,
                awardType: start + rain + 2,
                stage: start + rain + 4,
                person: start + person,
                amount: start + amount
            )
        }
        guard bytes[places[0].amount] == 200, bytes[places[0].person] == 1, bytes[places[0].rain] == 1 else {
            throw BenchFault("the request isn't encoded as expected")
        }
    }

    func write(to request: inout [UInt8], from source: GrantSource) {
        if request.isEmpty { request = bytes }
        for place in places {
            let parts = source.take()
            request[place.rain] = UInt8(truncatingIfNeeded: parts.rain.rawValue)
            request[place.awardType] = parts.awardType
            request[place.stage] = parts.stage
            var person = parts.person.rawValue
            for offset in 0..<8 {
                request[place.person + offset] = UInt8(truncatingIfNeeded: person)
                person >>= 8
            }
            let amount = UInt64(max(128, parts.amount))
            request[place.amount] = UInt8(truncatingIfNeeded: amount) | 0x80
            request[place.amount + 1] = UInt8(truncatingIfNeeded: amount >> 7)
        }
    }

    static func head(path: String, type: String, _ serviceKey: String, length: Int) -> [UInt8] {
        Array(
            ("POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(serviceKey)\r\n"
                + "Content-Type: \(type)\r\nContent-Length: \(length)\r\n\r\n").utf8
        )
    }
}

/// One grant as JSON; people have 16 digits, so every request is as long as the others.
private struct SingleTemplate: Sendable {
    private let bytes: [UInt8]
    private let person: Int
    private let rain: Int
    private let awardType: Int
    private let stage: Int

    init(serviceKey: String) {
        let json =
            #"{"campaign":"\#(GrantSource.campaign)","scene":"\#(GrantSource.scene)","rain":10,"awardType":1,"#
            + #""stage":0,"person":"1000000000000000","app":"\#(GrantSource.app)","amount":188}"#
        let body = Array(json.utf8)
        let head = BatchTemplate.head(
            path: "/v1/grants",
            type: "application/json",
            serviceKey,
            length: body.count
        )
        bytes = head + body
        func place(_ text: String) -> Int {
            guard let range = json.firstRange(of: text) else { preconditionFailure("the request lacks \(text)") }
            return head.count + json.utf8.distance(from: json.startIndex, to: range.upperBound)
        }
        person = place(#""person":""#)
        rain = place(#""rain":"#)
        awardType = place(#""awardType":"#)
        stage = place(#""stage":"#)
    }

    /// In rounds 11 to 19, which all have two digits.
    func write(to request: inout [UInt8], from source: GrantSource) {
        if request.isEmpty { request = bytes }
        let parts = source.take()
        precondition(parts.rain.rawValue < 10, "more requests than this form has room for")
        request[rain + 1] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: parts.rain.rawValue)
        request[awardType] = UInt8(ascii: "0") + parts.awardType
        request[stage] = UInt8(ascii: "0") + parts.stage
        var rest = parts.person.rawValue
        for offset in (0..<16).reversed() {
            request[person + offset] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}
