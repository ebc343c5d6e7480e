package import HongbaoCore
package import HongbaoEngine
import Synchronization

/// A store that passes its calls on to another one and fails where it's told to.
package final class FaultyStore<Base: Store>: Store {
    package enum Fault: Hashable, Sendable {
        /// The call never reaches the store: it didn't happen.
        case before
        /// The call is carried out, and then its answer is lost.
        case after
        /// The call never reaches the store, and who made it can't tell that from `after`.
        case lost
    }

    package enum Call: Hashable, Sendable, CaseIterable { case append, transact, read }

    /// Decides for each call, numbered from 0 among its kind.
    package typealias Plan = @Sendable (Call, Int) -> Fault?

    /// Without faults: what another process would talk to.
    package let underneath: Base
    private let plan: Plan
    private let state = Mutex(State())

    private struct State {
        var counts: [Call: Int] = [:]
        var isHeld = false
        var held: [CheckedContinuation<Void, Never>] = []
    }

    package init(_ base: Base, plan: @escaping Plan) {
        underneath = base
        self.plan = plan
    }

    /// Fails these calls, by number, and no others.
    package convenience init(_ base: Base, script: [Call: [Int: Fault]]) {
        self.init(base) { call, number in script[call]?[number] }
    }

    /// Fails about one in `oneIn` calls that write, half of them after they have happened.
    package convenience init(_ base: Base, seed: UInt64, oneIn: Int) {
        self.init(base) { call, number in
            guard call != .read else { return nil }
            var random = Seeded(seed: seed ^ UInt64(number) << 2 ^ (call == .append ? 1 : 2))
            guard Int.random(in: 0..<oneIn, using: &random) == 0 else { return nil }
            return Bool.random(using: &random) ? .before : .after
        }
    }

    /// From now on calls wait, until `letGo`.
    package func hold() { state.withLock { $0.isHeld = true } }

    package func letGo() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    /// How many calls wait now.
    package var heldCount: Int { state.withLock { $0.held.count } }

    package func append(_ group: AppendGroup) async throws(StoreError) {
        let fault = await next(.append)
        try Self.stop(at: fault)
        try await underneath.append(group)
        if fault == .after { throw StoreError(.outcomeUnknown, "a fault on purpose, after") }
    }

    package func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        let fault = await next(.transact)
        try Self.stop(at: fault)
        let answer = try await underneath.transact(footprint, decide)
        if fault == .after { throw StoreError(.outcomeUnknown, "a fault on purpose, after") }
        return answer
    }

    package func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        let fault = await next(.read)
        if fault != nil { throw StoreError(.unavailable, "a fault on purpose") }
        return try await underneath.read(body)
    }

    private static func stop(at fault: Fault?) throws(StoreError) {
        switch fault {
        case .before: throw StoreError(.unavailable, "a fault on purpose, before")
        case .lost: throw StoreError(.outcomeUnknown, "a fault on purpose, lost")
        case .after, nil: return
        }
    }

    private func next(_ call: Call) async -> Fault? {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isHeld = state.withLock { state in
                if state.isHeld { state.held.append(continuation) }
                return state.isHeld
            }
            if !isHeld { continuation.resume() }
        }
        let number = state.withLock { state in
            defer { state.counts[call, default: 0] += 1 }
            return state.counts[call, default: 0]
        }
        return plan(call, number)
    }
}
