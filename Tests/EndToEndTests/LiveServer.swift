import AsyncHTTPClient
import Foundation
import Glibc
import HongbaoCore
import HongbaoTesting
import NIOCore
import NIOHTTP1
import Testing

@testable import hongbao_dev

/// A `hongbao serve` on loopback, with the demo's accounts, a service key, and the shipped campaign played as if live.
struct LiveServer: Sendable {
    let program: StartedProgram
    let address: String

    struct Answer: Sendable {
        let status: UInt
        let headers: HTTPHeaders
        let text: String

        /// The number of a field of a flat JSON object.
        func number(_ name: String) throws -> Int64 {
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            return try #require((object?[name] as? NSNumber)?.int64Value, "\(name) in \(text)")
        }

        func string(_ name: String) throws -> String {
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            return try #require(object?[name] as? String, "\(name) in \(text)")
        }
    }

    /// - Parameter wrapper: a program and its first arguments, which runs the server.
    static func start(
        data: String,
        log: String,
        arguments: [String] = [],
        environment: [String: String] = [:],
        wrapper: [String] = []
    ) async throws -> LiveServer {
        let server = try BuiltProgram.path("hongbao")
        let serve = ["serve", "--data", data, "--port", "0", "--rehearse", "--demo"] + arguments
        let command = wrapper.isEmpty ? [server] + serve : wrapper + [server] + serve
        let program = try StartedProgram(
            command[0],
            Array(command.dropFirst()),
            environment: ["HONGBAO_SERVICE_KEYS": KillTest.serviceKeySetting].merging(environment) { _, new in new },
            folder: BuiltProgram.package,
            errorFile: log
        )
        return LiveServer(program: program, address: try await program.firstLine())
    }

    static let campaignFile = "\(BuiltProgram.package)/campaigns/spring-festival-2022.yaml"

    /// A client that gives up at once when nobody is there.
    static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    func send(
        _ method: HTTPMethod,
        _ path: String,
        bearer: String? = nil,
        json: String? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: address + path)
        request.method = method
        if let bearer { request.headers.add(name: "Authorization", value: "Bearer \(bearer)") }
        if let json {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: json))
        }
        let response = try await Self.client.execute(request, timeout: .seconds(30))
        let text = String(buffer: try await response.body.collect(upTo: 16 << 20))
        return Answer(status: response.status.code, headers: response.headers, text: text)
    }

    /// A grant in the rain.
    func grant(person: String, stage: Int = 0, rain: Int = 1, amount: Int64 = 100) async throws -> Answer {
        let json =
            #"{"campaign":"\#(KillTest.campaign)","scene":"rain","rain":\#(rain),"awardType":1,"stage":\#(stage),"#
            + #""person":"\#(person)","app":"douyin","amount":\#(amount)}"#
        return try await send(.POST, "/v1/grants", bearer: KillTest.serviceKey, json: json)
    }

    func logIn(_ user: String) async throws -> (person: String, jwt: String) {
        let answer = try await send(.POST, "/v1/demo/login", json: #"{"app":"douyin","user":"\#(user)"}"#)
        return (try answer.string("person"), try answer.string("jwt"))
    }

    func balance(_ jwt: String) async throws -> Int64 {
        let answer = try await send(.GET, "/v1/wallet?campaign=\(KillTest.campaign)", bearer: jwt)
        #expect(answer.status == 200, "\(answer.text)")
        return try answer.number("balance")
    }

    func caller(_ book: GrantBook) -> GrantCaller {
        GrantCaller(
            caller: Caller(client: Self.client, base: address),
            serviceKey: KillTest.serviceKey,
            campaign: KillTest.campaign,
            book: book
        )
    }

    func drain() async throws {
        let caller = caller(try Self.book())
        try await BuiltProgram.until("the backlog is posted") { try await caller.backlog() == 0 }
    }

    /// Ends it with SIGTERM; it must exit with 0.
    func stop() async throws {
        program.kill(SIGTERM)
        let code = try await program.exitCode()
        #expect(code == 0, "\(program.errors.suffix(2000))")
    }

    static func book() throws -> GrantBook { GrantBook(scene: try KillTest.scene(of: campaignFile)) }

    /// Every acknowledged grant is in the ledger once, nothing else is, and the audit agrees.
    static func expectBooked(_ book: GrantBook, in data: String, others: Int = 0) async throws {
        let booked = try await KillTest.bookedGrants(data)
        let known = booked.filter { $0.key.person.rawValue < 1 << 20 }
        #expect(booked.count - known.count == others)
        _ = book.compare(with: known)
        #expect(book.breaches == [])
        let (code, output, errors) = try await BuiltProgram.run("hongbao", ["audit", "--data", data])
        #expect(code == 0, "\(output)\(errors)")
    }
}
