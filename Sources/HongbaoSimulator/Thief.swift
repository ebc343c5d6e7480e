import HongbaoCore
import HongbaoEngine
import Synchronization

/// Somebody with access to a server's memory, who takes sealed batches that never came into the log: tokens with good
/// signatures for money that was never given.
final class Thief: Sendable {
    private static let most = 40

    private let reader: LogReader
    private let tokens = Mutex<[(person: PersonID, token: [UInt8])]>([])

    init(_ keyring: Keyring) { reader = LogReader(wrappingKey: keyring.walletWrapping) }

    func take(_ group: AppendGroup, from snapshot: TableSnapshot) {
        guard tokens.withLock({ $0.count < Self.most }) else { return }
        for batch in group.batches {
            do throws(StoreError) {
                for epoch in snapshot.epochs() where epoch.epoch == batch.epoch { try reader.learn(epoch) }
                let payloads = try reader.open(batch).payloads
                let sealed = try reader.tokens(batch)
                let loot = payloads.indices.map { (payloads[$0].person, sealed[$0]) }
                tokens.withLock { $0 += loot }
            } catch {
                return
            }
        }
    }

    /// The latest one for this person.
    func token(of person: PersonID) -> [UInt8]? { tokens.withLock { $0.last { $0.person == person }?.token } }
}
