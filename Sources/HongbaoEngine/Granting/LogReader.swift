package import Crypto
package import HongbaoCore
import Synchronization

/// One batch of the log, opened.
package struct OpenedBatch: Sendable {
    package let mint: MintID
    package let sequence: UInt64
    package let payloads: [GrantPayload]
    package let choices: [RewardChoice]
}

/// Opens batches of the log with the data keys of all epochs known so far.
package final class LogReader: Sendable {
    private let keys = Mutex<[MintEpoch: DataKey]>([:])
    private let wrappingKey: SymmetricKey

    package init(wrappingKey: SymmetricKey) { self.wrappingKey = wrappingKey }

    /// - Throws: `corrupt` when the data key was wrapped by another keyring, or altered.
    @discardableResult
    package func learn(_ epoch: EpochRecord) throws(StoreError) -> DataKey {
        guard let key = DataKey(wrapped: epoch.wrappedDataKey, by: wrappingKey) else {
            throw StoreError(
                .corrupt,
                "the data key of mint \(epoch.mint.rawValue) epoch \(epoch.epoch) can't be unwrapped: "
                    + "the keyring isn't the one that the data was written with"
            )
        }
        keys.withLock { $0[MintEpoch(mint: epoch.mint, epoch: epoch.epoch)] = key }
        return key
    }

    /// Learns a mint's epochs up to this one from the store, unless it's known.
    func learn(upTo epoch: UInt32, of mint: MintID, from store: any Store) async throws(StoreError) {
        guard keys.withLock({ $0[MintEpoch(mint: mint, epoch: epoch)] }) == nil else { return }
        let epochs = try await store.read { (snapshot) throws(StoreError) in try snapshot.epochs() }
        for epoch in epochs where epoch.mint == mint { try learn(epoch) }
    }

    package func open(_ logged: LoggedBatch) throws(StoreError) -> OpenedBatch {
        let (record, reader) = try reader(logged)
        do {
            return OpenedBatch(
                mint: logged.mint,
                sequence: logged.sequence,
                payloads: try reader.payloads(),
                choices: record.choices
            )
        } catch {
            throw corrupt(logged, "\(error)")
        }
    }

    package func tokens(_ logged: LoggedBatch) throws(StoreError) -> BatchTokens {
        do {
            return try reader(logged).1.tokens()
        } catch let error as StoreError {
            throw error
        } catch {
            throw corrupt(logged, "\(error)")
        }
    }

    private func reader(_ logged: LoggedBatch) throws(StoreError) -> (LogRecord, BatchReader) {
        guard let record = LogRecord(logged.record) else { throw corrupt(logged, "it isn't a log record") }
        let header = record.batch.header
        guard header.mint == logged.mint, header.sequence == logged.sequence, header.epoch == logged.epoch,
            header.count == logged.count, header.total == logged.total, record.pieces == logged.pieces
        else { throw corrupt(logged, "its header differs from its row") }
        guard let key = keys.withLock({ $0[MintEpoch(mint: logged.mint, epoch: logged.epoch)] }) else {
            throw corrupt(logged, "there is no data key for epoch \(logged.epoch)")
        }
        return (record, BatchReader(record.batch, dataKey: key))
    }

    private func corrupt(_ logged: LoggedBatch, _ why: String) -> StoreError {
        StoreError(.corrupt, "batch \(logged.sequence) of mint \(logged.mint.rawValue) can't be read: \(why)")
    }
}

extension Store {
    /// Batches that follow each other in a mint's log, all of them.
    ///
    /// - Throws: `corrupt` when one is missing.
    func batches(of mint: MintID, after: UInt64, count: Int) async throws(StoreError) -> [LoggedBatch] {
        let batches = try await read { (snapshot) throws(StoreError) in
            try snapshot.batches(of: mint, after: after, limit: count)
        }
        var sequence = after
        for batch in batches where batch.sequence == sequence + 1 { sequence += 1 }
        guard sequence == after + UInt64(count), batches.count == count else {
            throw StoreError(.corrupt, "batch \(sequence + 1) of mint \(mint.rawValue) is missing from the log")
        }
        return batches
    }
}
