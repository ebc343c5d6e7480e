import Foundation
import HongbaoTesting
import NIOCore
import Testing

@testable import HongbaoRedis

/// Who is let in, and over what: the server's access list, and TLS.
@Suite(.timeLimit(.minutes(5))) struct AccessTests {
    private static func address(_ text: String) throws -> RedisAddress { try #require(RedisAddress(text)) }

    @Test func onlyWhoKnowsThePasswordIsLetIn() async throws {
        let server = try await RedisProcess([("requirepass", "s:cret/1")])
        let node = try RedisNode(Self.address("redis://:s%3Acret%2F1@127.0.0.1:\(server.port)"))
        #expect(try await node.call("PING") == .text("PONG"))
        // A user of the access list, with a password of its own.
        _ = try await node.call("ACL", "SETUSER", "hongbao", "on", ">other", "~hongbao:*", "+get", "+ping")
        let user = try RedisNode(Self.address("redis://hongbao:other@127.0.0.1:\(server.port)"))
        #expect(try await user.call("GET", "hongbao:a") == .null)
        #expect(await user.fault("GET", "a")?.kind == .refused(code: "NOPERM"))
        for wrong in ["redis://", "redis://:wrong@", "redis://hongbao:wrong@", "redis://nobody:other@"] {
            let stranger = try RedisNode(Self.address("\(wrong)127.0.0.1:\(server.port)"))
            let fault = await stranger.fault("PING")
            #expect(fault?.kind == .unreachable)
            let word = wrong == "redis://" ? "NOAUTH" : "WRONGPASS"
            #expect(fault?.message.contains(word) == true, "\(wrong): \(fault?.message ?? "")")
            #expect(fault?.message.contains("wrong@") == false)
            await stranger.close()
        }
        await node.close()
        await user.close()
    }

    @Test func connectionsAreEncrypted() async throws {
        let authority = try await TestAuthority()
        let own = authority.certified
        let tls = try freePort()
        let server = try await RedisProcess([
            ("tls-port", "\(tls)"), ("tls-cert-file", own.certificate), ("tls-key-file", own.key),
            ("tls-ca-cert-file", authority.file),
        ])
        let believed = "ca=\(authority.file)"
        let client = "certificate=\(own.certificate)&key=\(own.key)"
        for host in ["127.0.0.1", "localhost"] {
            let node = try RedisNode(Self.address("rediss://\(host):\(tls)?\(believed)&\(client)"))
            #expect(try await node.call("ECHO", "a") == .text("a"))
            await node.close()
        }
        // One that believes others, one that shows nothing, one that shows what the server doesn't believe, and one
        // that speaks TLS to who doesn't.
        let stranger = "certificate=\(authority.stranger.certificate)&key=\(authority.stranger.key)"
        let wrong = [
            "rediss://127.0.0.1:\(tls)?ca=\(authority.stranger.certificate)&\(client)",
            "rediss://127.0.0.1:\(tls)?\(client)", "rediss://127.0.0.1:\(tls)?\(believed)",
            "rediss://127.0.0.1:\(tls)?\(believed)&\(stranger)", "rediss://127.0.0.1:\(server.port)?\(believed)",
            "redis://127.0.0.1:\(tls)",
        ]
        for text in wrong {
            let node = try RedisNode(Self.address(text))
            #expect(await node.fault("PING")?.kind == .unreachable, "\(text)")
            await node.close()
        }
        #expect(throws: (any Error).self) { try RedisNode(Self.address("rediss://a?ca=/nowhere")) }
    }
}
