import Foundation
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization

/// The downstreams' side of the HTTP interface in `RewardMessages`, one for each kind of reward that isn't money, each
/// with habits of its own.
final class SandboxDownstreams: Sendable {
    private struct State {
        var gifts: SandboxGifts
        var habits: [RewardKind: SandboxHabits]
        var random: SplitMix64
        /// Every other error is one after the deed.
        var errors = 0

        func habits(of kind: RewardKind) -> SandboxHabits { habits[kind] ?? SandboxHabits() }
    }

    /// What befalls a request rather than an order.
    private enum Fate {
        case answered, overloaded, failed(isCarriedOut: Bool), lostReply, hanging(milliseconds: Int64)

        var isCarriedOut: Bool {
            switch self {
            case .answered, .lostReply, .hanging: true
            case .overloaded: false
            case .failed(let isCarriedOut): isCarriedOut
            }
        }
    }

    private let state: Mutex<State>
    private let journal: SandboxJournal
    private let door: CallbackGuard?

    init(
        gifts: SandboxGifts,
        habits: [RewardKind: SandboxHabits],
        seed: UInt64,
        journal: SandboxJournal,
        door: CallbackGuard?
    ) {
        state = Mutex(State(gifts: gifts, habits: habits, random: SplitMix64(seed: seed)))
        self.journal = journal
        self.door = door
    }

    // MARK: Routes

    func add(to router: Router<BasicRequestContext>) {
        for kind in RewardKind.downstream {
            let place = "downstreams/\(kind.rawValue)"
            router.post(RouterPath("\(place)/rewards")) { request, _ in try await self.give(request, at: kind) }
            router.post(RouterPath("\(place)/rewards/query")) { request, _ in try await self.query(request, at: kind) }
            router.get(RouterPath(place)) { _, _ in self.totals(of: kind) }
            router.get(RouterPath("\(place)/given")) { _, _ in try await self.given(of: kind) }
            router.get(RouterPath("settings/\(place)")) { _, _ in self.settings(of: kind) }
            router.put(RouterPath("settings/\(place)")) { request, _ in try await self.change(request, of: [kind]) }
        }
        router.put("settings/downstreams") { request, _ in
            try await self.change(request, of: RewardKind.downstream)
        }
    }

    private func give(_ request: Request, at kind: RewardKind) async throws -> Response {
        let bytes = try await Sandbox.authenticBody(of: request, door)
        let orders = try Sandbox.refusingFaults { () throws(JSONFault) in try RewardMessages.readGiveRequest(bytes) }
        guard orders.allSatisfy({ Sandbox.isPlain($0.order) }) else { throw Sandbox.unplain }
        try await waitWhileHung(kind)
        let (fate, habits, results) = state.withLock { state in
            let habits = state.habits(of: kind)
            let fate = Self.fate(&state, habits)
            var results: [RewardMessages.Result] = []
            guard fate.isCarriedOut else { return (fate, habits, results) }
            for order in orders {
                let (result, line) = state.gifts.give(
                    order,
                    at: kind,
                    habits: habits,
                    using: &state.random,
                    now: .now
                )
                journal.append(line)
                results.append(result)
            }
            return (fate, habits, results)
        }
        return try await answer(results, fate, habits)
    }

    private func query(_ request: Request, at kind: RewardKind) async throws -> Response {
        let bytes = try await Sandbox.authenticBody(of: request, door)
        let orders = try Sandbox.refusingFaults { () throws(JSONFault) in try RewardMessages.readQueryRequest(bytes) }
        try await waitWhileHung(kind)
        let (fate, habits, results) = state.withLock { state in
            let habits = state.habits(of: kind)
            let results = orders.map { state.gifts.result(of: $0, at: kind, now: .now) }
            return (Self.fate(&state, habits), habits, results)
        }
        return try await answer(results, fate, habits)
    }

    private static func fate(_ state: inout State, _ habits: SandboxHabits) -> Fate {
        if state.random.happens(Int(habits.overloads)) { return .overloaded }
        if state.random.happens(Int(habits.errors)) {
            state.errors += 1
            return .failed(isCarriedOut: state.errors % 2 == 0)
        }
        if state.random.happens(Int(habits.lostReplies)) { return .lostReply }
        return state.random.happens(Int(habits.hangs)) ? .hanging(milliseconds: habits.hangTime) : .answered
    }

    /// Looks again and again, since it can be told that it's over.
    private func waitWhileHung(_ kind: RewardKind) async throws {
        while let until = state.withLock({ $0.habits(of: kind).hungUntil }), until > .now {
            try await cancelWhenGracefulShutdown { try await Task.sleep(for: .milliseconds(20)) }
        }
    }

    private func answer(
        _ results: [RewardMessages.Result],
        _ fate: Fate,
        _ habits: SandboxHabits
    ) async throws -> Response {
        // What is told must be on disk.
        try await journal.flush()
        var milliseconds = habits.answerTime
        if case .hanging(let more) = fate { milliseconds += more }
        if milliseconds > 0 {
            let pause = Duration.milliseconds(milliseconds)
            try await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
        }
        switch fate {
        case .answered, .hanging: return Sandbox.json(RewardMessages.results(results))
        case .overloaded: throw HTTPError(.serviceUnavailable, message: "overloaded")
        case .failed: throw HTTPError(.internalServerError, message: "an error")
        case .lostReply: return Sandbox.lostReply(RewardMessages.results(results))
        }
    }

    // MARK: What there is, and habits

    private func totals(of kind: RewardKind) -> Response {
        let totals = state.withLock { $0.gifts.totals(of: kind, now: .now) }
        return Sandbox.json { json in
            json.object {
                $0.field("processing", Int64(totals.processing))
                $0.field("granted", Int64(totals.granted))
                $0.field("refused", Int64(totals.refused))
            }
        }
    }

    private func given(of kind: RewardKind) async throws -> Response {
        let text = state.withLock { $0.gifts.givenFile(of: kind, now: .now) }
        try await journal.flush()
        return Response(
            status: .ok,
            headers: [.contentType: "text/csv; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }

    private func settings(of kind: RewardKind) -> Response {
        let habits = state.withLock { $0.habits(of: kind) }
        return Sandbox.json { habits.write(&$0, now: .now) }
    }

    private func change(_ request: Request, of kinds: [RewardKind]) async throws -> Response {
        let bytes = try await Sandbox.body(of: request)
        try Sandbox.refusingFaults { () throws(JSONFault) in
            try state.withLock { state throws(JSONFault) in
                for kind in kinds {
                    var habits = state.habits(of: kind)
                    try habits.update(from: bytes, now: .now)
                    state.habits[kind] = habits
                }
            }
        }
        return settings(of: kinds[0])
    }
}
