package import AsyncHTTPClient
import Crypto
package import HongbaoCore
package import HongbaoEngine

/// Everything about the gateway that an operator can set.
package struct GatewayConfiguration: Sendable {
    package var host = "127.0.0.1"
    package var port = 8080
    package var version = "0"
    package var serviceKeys: [ServiceKey] = []
    package var issuers: [JWTIssuer] = []
    /// The demo's own account centre; `nil` where there are real people.
    package var demo: DemoConfiguration?
    /// What outside systems sign their callbacks with; from those that have none, none are taken.
    package var callbackSecrets: [OutsideSystem: [UInt8]] = [:]
    /// The same for downstreams of rewards.
    package var rewardCallbackSecrets: [RewardKind: [UInt8]] = [:]
    /// Whether people may send red packets that they pay for (C2C): there is a cashier, and the systems that bring
    /// shares to people's change and give back the rest.
    package var takesPayments = false
    package var redPackets = RedPacketLimits()
    package var totals = TotalStreams()
    /// What requests are forwarded with to other nodes of a cluster (`Forwarder.clientConfiguration`); without one none
    /// are. Whoever hands it in shuts it down.
    package var forwarding: HTTPClient?
    package var bodyBytesMax = 1 << 20
    package var headerBytesMax = 16 << 10
    /// From the first byte of a request's body to its last, and again for its answer.
    package var requestTimeout = Duration.seconds(10)
    /// How long a connection may be silent.
    package var idleTimeout = Duration.seconds(60)
    package var connectionsMax = 20_000
    /// Requests at work at the same time; any more are answered `overloaded` at once.
    package var inFlightMax = 8_192
    package var batchMax = 1_000

    package init() {}
}

/// How running totals are streamed.
package struct TotalStreams: Hashable, Sendable {
    /// Between two looks at the total; it's sent when it has changed. Totals themselves change at each flush.
    package var interval = Duration.seconds(1)
    /// Looks after which a stream ends. Clients open another, perhaps on another node.
    package var looksMax = 600
    /// Looks at a total that doesn't change after which an empty comment is sent.
    package var silentLooksMax = 15
    /// How long clients wait before they open another stream.
    package var retryMilliseconds = 1_000
    package var streamsMax = 10_000

    package init() {}
}

/// What one red packet may have, beside what the core holds of every packet.
package struct RedPacketLimits: Hashable, Sendable {
    /// In fen.
    package var amountMax: Int64 = 100_000_000
    package var countMax: Int64 = 100_000
    /// In bytes of UTF-8.
    package var greetingBytesMax = 300

    package init() {}
}

/// What a service may do.
package enum Scope: String, Hashable, Sendable, CaseIterable {
    case grant
    case read
    case callback
    case accounts
    case admin
}

/// A calling service. Only the key's digest is kept.
package struct ServiceKey: Hashable, Sendable {
    /// For logs and metrics.
    package let name: String
    package let digest: KeyDigest
    package let scopes: Set<Scope>
    /// `nil` is all campaigns.
    package let campaigns: Set<String>?

    package init(name: String, digest: KeyDigest, scopes: Set<Scope>, campaigns: Set<String>?) {
        self.name = name
        self.digest = digest
        self.scopes = scopes
        self.campaigns = campaigns
    }

    package func allows(campaign: String) -> Bool { campaigns?.contains(campaign) ?? true }
}

/// The SHA-256 of a service key.
package struct KeyDigest: Hashable, Sendable {
    private let words: [UInt64]

    /// `nil` unless there are 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        var words: [UInt64] = []
        var word: UInt64 = 0
        for (index, byte) in bytes.enumerated() {
            word = word << 8 | UInt64(byte)
            if index % 8 == 7 {
                words.append(word)
                word = 0
            }
        }
        self.words = words
    }

    package init(ofKey key: some Collection<UInt8>) {
        var hash = SHA256()
        hash.update(data: Array(key))
        var words: [UInt64] = []
        words.reserveCapacity(4)
        hash.finalize().withUnsafeBytes { bytes in
            for index in 0..<4 {
                words.append(bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self).bigEndian)
            }
        }
        self.words = words
    }

    /// Looks at all bits, wherever the first difference is.
    package func equals(_ other: KeyDigest) -> Bool {
        var difference: UInt64 = 0
        for index in words.indices { difference |= words[index] ^ other.words[index] }
        return difference == 0
    }
}

/// Who vouches for people: an account centre.
package struct JWTIssuer: Sendable {
    package enum Key: Sendable {
        /// Ed25519, 32 bytes.
        case edDSA([UInt8])
        /// P-256, as X9.63 (65 bytes).
        case es256([UInt8])
    }

    /// The `iss` claim, where there is one.
    package let name: String
    package let key: Key
    /// The `aud` claim must name it; `nil` asks for none.
    package let audience: String?

    package init(name: String, key: Key, audience: String?) {
        self.name = name
        self.key = key
        self.audience = audience
    }
}

package struct DemoConfiguration: Sendable {
    /// The seed of the demo's Ed25519 key, 32 bytes.
    package let seed: [UInt8]
    package let lifetimeSeconds: Int64

    package init(seed: [UInt8], lifetimeSeconds: Int64 = 24 * 3600) {
        self.seed = seed
        self.lifetimeSeconds = lifetimeSeconds
    }
}

/// A setting that the gateway can't start with.
package enum GatewayFault: Error, Hashable, Sendable {
    case demoSeedInvalid
    case issuerKeyInvalid(name: String)
    case keyNameTwice(String)
    case keyTwice(name: String, other: String)
    case limitInvalid(String)
}

extension GatewayConfiguration {
    package func checkLimits() throws(GatewayFault) {
        guard (0...65_535).contains(port) else { throw .limitInvalid("port") }
        guard (1024...(64 << 20)).contains(bodyBytesMax) else { throw .limitInvalid("bodyBytesMax") }
        guard (1024...(1 << 20)).contains(headerBytesMax) else { throw .limitInvalid("headerBytesMax") }
        guard requestTimeout > .zero else { throw .limitInvalid("requestTimeout") }
        guard idleTimeout > .zero else { throw .limitInvalid("idleTimeout") }
        guard connectionsMax > 0 else { throw .limitInvalid("connectionsMax") }
        guard inFlightMax > 0 else { throw .limitInvalid("inFlightMax") }
        guard (1...1_000).contains(batchMax) else { throw .limitInvalid("batchMax") }
        guard totals.interval > .zero else { throw .limitInvalid("totals.interval") }
        guard totals.looksMax > 0 else { throw .limitInvalid("totals.looksMax") }
        guard totals.silentLooksMax > 0 else { throw .limitInvalid("totals.silentLooksMax") }
        guard totals.streamsMax > 0 else { throw .limitInvalid("totals.streamsMax") }
        guard redPackets.amountMax > 0 else { throw .limitInvalid("redPackets.amountMax") }
        guard (1...Int64(Split.countMax)).contains(redPackets.countMax) else {
            throw .limitInvalid("redPackets.countMax")
        }
        guard (0...RedPacket.Cover.bytesMax).contains(redPackets.greetingBytesMax) else {
            throw .limitInvalid("redPackets.greetingBytesMax")
        }
        var names = Set<String>()
        for key in serviceKeys where !names.insert(key.name).inserted { throw .keyNameTwice(key.name) }
        var nameByDigest: [KeyDigest: String] = [:]
        for key in serviceKeys {
            if let other = nameByDigest.updateValue(key.name, forKey: key.digest) {
                throw .keyTwice(name: key.name, other: other)
            }
        }
    }
}
