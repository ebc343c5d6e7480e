import HongbaoCore
import HongbaoEngine
import Synchronization

/// Remembers what callers asked for and were told, and compares it with what a store holds.
final class Witness: Sendable {
    /// One transaction, by the rows that it writes: all of them or none.
    struct Deed: Hashable {
        let rows: [StoreContents.Row]
    }

    struct Findings {
        var breaches: [(PowerCutReport.Breach.Kind, String)] = []
        var untoldKept = 0
        var untoldGone = 0
    }

    fileprivate struct State {
        var serials = 0
        var acknowledged = 0
        /// What a reader saw and shouldn't have.
        var sights: [String] = []
        /// Answered, or found after a cut: they stay.
        var certain: Set<Deed> = []
        /// Without an answer, or with one that leaves it open.
        var untold: Set<Deed> = []
        /// Refused, or missing after a cut: they stay away.
        var undone: Set<Deed> = []
    }

    private let state = Mutex(State())

    var acknowledged: Int { state.withLock(\.acknowledged) }

    /// A number that no other transaction on this disk has.
    func nextSerial() -> Int {
        state.withLock { state in
            state.serials += 1
            return state.serials
        }
    }

    func saw(_ text: String) { state.withLock { $0.sights.append(text) } }

    /// Before it's asked for.
    func begins(_ deed: Deed) { state.withLock { _ = $0.untold.insert(deed) } }

    func succeeded(_ deed: Deed) {
        state.withLock { state in
            guard state.untold.remove(deed) != nil else { return }
            state.certain.insert(deed)
            state.acknowledged += 1
        }
    }

    func failed(_ deed: Deed, _ error: StoreError) {
        guard error.code != .outcomeUnknown else { return }
        state.withLock { state in
            guard state.untold.remove(deed) != nil else { return }
            state.undone.insert(deed)
        }
    }

    /// After a restart. What was left open is settled by what is there.
    func compare(with contents: StoreContents) -> Findings {
        state.withLock { $0.compare(with: contents) }
    }
}

extension Witness.State {
    fileprivate mutating func compare(with contents: StoreContents) -> Witness.Findings {
        var findings = Witness.Findings()
        for text in contents.contradictions + sights { findings.breaches.append((.corrupt, text)) }
        sights = []
        var known = 0
        for deed in certain {
            let found = deed.count(in: contents)
            known += found
            guard found < deed.rows.count else { continue }
            findings.breaches.append((found == 0 ? .lost : .half, "\(deed): \(found) rows are there"))
            certain.remove(deed)
        }
        for deed in undone {
            let found = deed.count(in: contents)
            known += found
            guard found > 0 else { continue }
            findings.breaches.append((.ghost, "\(deed): \(found) rows are there, but it was undone"))
            undone.remove(deed)
            certain.insert(deed)
        }
        for deed in untold {
            let found = deed.count(in: contents)
            known += found
            switch found {
            case 0:
                undone.insert(deed)
                findings.untoldGone += 1
            case deed.rows.count:
                certain.insert(deed)
                findings.untoldKept += 1
            default: findings.breaches.append((.half, "\(deed): \(found) rows are there"))
            }
        }
        untold = []
        if known != contents.rows.count {
            findings.breaches.append((.ghost, "\(contents.rows.count - known) rows that nobody has asked for"))
        }
        return findings
    }
}

extension Witness.Deed: CustomStringConvertible {
    func count(in contents: StoreContents) -> Int { rows.count { contents.rows.contains($0) } }

    var description: String {
        switch rows.first {
        case .batch(let batch): "\(rows.count) batches of mint \(batch.mint.rawValue) from \(batch.sequence)"
        case .transfer(let transfer): "\(rows.count) transfers from \(transfer.id.bits)"
        case .withdrawal(let withdrawal): "withdrawal \(withdrawal.key.id) of \(withdrawal.key.person.rawValue)"
        case nil: "nothing"
        }
    }
}
