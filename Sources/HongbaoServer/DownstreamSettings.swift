import HongbaoCore
package import HongbaoEngine

/// Where a downstream is, and how much is asked of it at a time (GR-8). Each setting is read under the kind's own name
/// first, such as `rewards.tea.secret`, and then under that for all, `rewards.secret`.
package struct DownstreamSettings: Hashable, Sendable {
    package let address: OutsideAddress
    /// For the whole answer to a call.
    package let deadlineMilliseconds: Int64
    /// `nil` is without limit (FC-1).
    package let callsPerSecond: Int?
    /// Calls at a time.
    package let concurrencyMax: Int

    /// The settings for all downstreams, and what they mean.
    package static let keys: [(key: String, meaning: String)] = [
        ("rewards.url", "base address of all downstreams of rewards; /KIND comes behind it, as /tea"),
        ("rewards.secret", "shared secret that requests to them are signed with"),
        ("rewards.deadline-milliseconds", "for a downstream's whole answer (5000)"),
        ("rewards.calls-per-second", "calls of one downstream a second, 0 without limit (0)"),
        ("rewards.concurrency", "calls of one downstream at a time (4)"),
    ]

    /// The same for one kind each; under `url` there, nothing but `/rewards` comes behind it.
    package static let keysOfKinds: [String] = RewardKind.downstream.flatMap { kind in
        keys.map { "rewards.\(kind.rawValue)." + $0.key.dropFirst("rewards.".count) }
    }

    /// What stands for `KIND`.
    package static var kinds: String { RewardKind.downstream.map(\.rawValue).joined(separator: ", ") }

    /// What `OutsideMachine` goes by at this downstream.
    package func limit(_ policy: OutsidePolicy = OutsidePolicy()) -> OutsidePolicy {
        var policy = policy
        policy.callsPerSecond = callsPerSecond
        policy.concurrencyMax = concurrencyMax
        return policy
    }
}

extension DownstreamSettings {
    /// `nil` when nothing says where it is: then the books are all there is.
    init?(_ kind: RewardKind, _ settings: Settings) throws(ServerConfiguration.Invalid) {
        let own = "rewards.\(kind.rawValue)"
        let ownURL = try settings.address("\(own).url")
        let commonURL = try settings.address("rewards.url").map { ($0.hasSuffix("/") ? $0 : $0 + "/") + kind.rawValue }
        guard let url = ownURL ?? commonURL else { return nil }
        let group = ownURL == nil ? "rewards" : own
        let ownSecret = settings.string("\(own).secret", isSecret: true)
        guard let secret = ownSecret ?? settings.string("rewards.secret", isSecret: true), !secret.isEmpty else {
            throw ServerConfiguration.Invalid(key: "\(group).secret", reason: "is needed when \(group).url is set")
        }
        func number(_ key: String, in range: ClosedRange<Int>) throws(ServerConfiguration.Invalid) -> Int? {
            // Both are looked at, so that a wrong one is named though it doesn't count.
            let common = try settings.int("rewards.\(key)", in: range)
            return try settings.int("\(own).\(key)", in: range) ?? common
        }
        address = OutsideAddress(url: url, secret: secret)
        // Below what the engine waits for any call.
        deadlineMilliseconds = Int64(try number("deadline-milliseconds", in: 50...9_000) ?? 5_000)
        let rate = try number("calls-per-second", in: 0...1_000_000) ?? 0
        callsPerSecond = rate == 0 ? nil : rate
        concurrencyMax = try number("concurrency", in: 1...64) ?? OutsidePolicy().concurrencyMax
    }
}
