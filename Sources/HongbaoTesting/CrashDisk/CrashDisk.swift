package import Dispatch
import Foundation
import GRDBSQLite
import HongbaoCore
import Synchronization

/// A disk in memory that loses its power at an operation chosen beforehand: what was synced stays, what wasn't is kept,
/// dropped or torn, sector by sector, as a seed decides.
///
/// SQLite uses it through `CrashVFS`. Once the power is off every operation fails; what survives is another folder,
/// from which another disk is made.
package final class CrashDisk: Sendable {
    /// Something that changes what is on the disk.
    package struct Operation: Hashable, Sendable, CustomStringConvertible {
        package enum Kind: String, Sendable { case create, write, resize, sync, delete }

        /// From 1.
        package let number: Int
        package let kind: Kind
        package let file: String
        package let offset: Int
        package let bytes: Int

        package var description: String {
            switch kind {
            case .write: "\(number) \(file): write \(bytes) at \(offset)"
            case .resize: "\(number) \(file): resize to \(offset)"
            case .create, .sync, .delete: "\(number) \(file): \(kind.rawValue)"
            }
        }
    }

    /// At which operation the power goes: the first of its kind with at least this number.
    package struct Moment: Sendable {
        package enum Kind: CaseIterable, Sendable {
            case anyOperation
            /// When all of a commit is written and may have arrived or not.
            case sync
            /// A change of the database file itself, as its log moves into it.
            case checkpoint
        }

        package let kind: Kind
        package let number: Int

        package init(_ kind: Kind, from number: Int) {
            self.kind = kind
            self.number = number
        }

        func isReached(by operation: Operation) -> Bool {
            guard operation.number >= number else { return false }
            switch kind {
            case .anyOperation: return true
            case .sync: return operation.kind == .sync
            case .checkpoint: return !operation.file.hasSuffix("-wal")
            }
        }
    }

    package struct Options: Sendable {
        /// `nil` to wait for `cutPower`.
        package var cutAt: Moment?
        /// A disk that says that it has synced, and hasn't: no software survives that, and the check must see it.
        package var liesAboutSyncs = false
        /// Keeps every operation, for `trace`.
        package var isTraced = false

        package init() {}
    }

    fileprivate struct State {
        /// What each name has stood for since its folder was last synced, oldest first; `nil` where there was no file.
        var names: [String: [Int?]] = [:]
        var files: [Int: CrashFile] = [:]
        var filesMade = 0
        var handlesMade = 0
        var locks: [String: FileLocks] = [:]
        var sharedMemory: [String: SharedMemory] = [:]
        var operations = 0
        var isOff = false
        var lastOperation: Operation?
        var trace: [Operation] = []
        /// Whom an operation that changes something waits for.
        var others: DispatchGroup?
    }

    private let options: Options
    private let seed: UInt64
    private let state = Mutex(State())

    /// A disk that holds the files of a folder, durably.
    package init(contentsOf folder: String, seed: UInt64, options: Options = Options()) throws {
        self.options = options
        self.seed = seed
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where name != "lock" {
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: "\(folder)/\(name)")))
            state.withLock { state in
                let file = state.add(CrashFile(durable: bytes))
                state.names[name] = [file]
            }
        }
    }

    package var isOff: Bool { state.withLock(\.isOff) }
    /// How many operations there were.
    package var operations: Int { state.withLock(\.operations) }
    /// The one at which the power went, if it has gone.
    package var cut: Operation? { state.withLock { $0.isOff ? $0.lastOperation : nil } }
    package var trace: [Operation] { state.withLock(\.trace) }

    package func cutPower() { state.withLock { $0.isOff = true } }

    /// From now on nothing is changed, and the writing connection locks nothing, while these are at work.
    ///
    /// So the order in which callers come doesn't depend on who is quicker.
    package func waitBeforeOperations(for others: DispatchGroup?) { state.withLock { $0.others = others } }

    /// Writes what a power cut now would leave into an empty folder.
    package func writeSurvivors(to folder: String) throws {
        for (name, bytes) in survivors() {
            try bytes.withBytes { try Data($0).write(to: URL(filePath: "\(folder)/\(name)")) }
        }
    }

    private func survivors() -> [String: FileBytes] {
        state.withLock { state in
            var random = Seeded(seed: seed)
            let unsynced = state.files.values.flatMap { $0.unsynced.map(\.number) }.sorted()
            let damage = Damage(unsynced: unsynced, using: &random)
            var survivors: [String: FileBytes] = [:]
            for (name, files) in state.names.sorted(by: { $0.key < $1.key }) {
                guard let chosen = files.randomElement(using: &random), let file = chosen else { continue }
                survivors[name] = state.files[file]?.surviving(damage, using: &random)
            }
            return survivors
        }
    }
}

// MARK: What the VFS asks for. Answers are SQLite's codes.

extension CrashDisk {
    /// An open file: `file` is its content, `handle` who holds locks.
    struct Opened {
        let file: Int
        let handle: Int
    }

    func open(_ name: String, creates: Bool) -> Opened? {
        if !exists(name) {
            guard creates else { return nil }
            guard operate(.create, name, { state, _, _ in state.create(name) }) == SQLITE_OK else { return nil }
        }
        return state.withLock { state in
            guard !state.isOff, let file = state.current(name) else { return nil }
            state.handlesMade += 1
            return Opened(file: file, handle: state.handlesMade)
        }
    }

    func exists(_ name: String) -> Bool { state.withLock { $0.current(name) != nil } }

    /// The size of a file, `nil` when there is none or no power.
    func size(_ file: Int) -> Int? { state.withLock { $0.isOff ? nil : $0.files[file]?.content.count } }

    /// The size of the file with a name, `nil` when there is none.
    func size(named name: String) -> Int? {
        state.withLock { state in state.current(name).flatMap { state.files[$0]?.content.count } }
    }

    func read(_ file: Int, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int32 {
        state.withLock { state in
            guard !state.isOff, let count = state.files[file]?.content.read(into: buffer, at: offset) else {
                return SQLITE_IOERR
            }
            return count == buffer.count ? SQLITE_OK : SQLiteCode.shortRead
        }
    }

    func write(_ file: Int, _ name: String, _ bytes: [UInt8], at offset: Int) -> Int32 {
        operate(.write, name, offset: offset, bytes: bytes.count) { state, number, _ in
            state.files[file]?.write(bytes, at: offset, number: number)
        }
    }

    func resize(_ file: Int, _ name: String, to count: Int) -> Int32 {
        operate(.resize, name, offset: count) { state, number, _ in
            state.files[file]?.resize(to: count, number: number)
        }
    }

    /// Also makes the file's name durable, as SQLite does with a log that it has made.
    func sync(_ file: Int, _ name: String) -> Int32 {
        // A cut in the middle of a sync has synced nothing yet; what was written may or may not have arrived.
        operate(.sync, name) { [options] state, _, isCut in
            guard !isCut, !options.liesAboutSyncs else { return }
            state.files[file]?.sync()
            if state.current(name) == file { state.names[name] = [file] }
        }
    }

    func delete(_ name: String, syncsFolder: Bool) -> Int32 {
        guard exists(name) else { return SQLiteCode.noSuchFile }
        return operate(.delete, name) { [options] state, _, isCut in
            let isDurable = syncsFolder && !isCut && !options.liesAboutSyncs
            state.names[name] = isDurable ? [nil] : (state.names[name] ?? []) + [nil]
        }
    }

    /// Counts an operation, does it, and cuts the power when its time has come.
    private func operate(
        _ kind: Operation.Kind,
        _ name: String,
        offset: Int = 0,
        bytes: Int = 0,
        _ change: (inout State, _ number: Int, _ isCut: Bool) -> Void
    ) -> Int32 {
        waitForOthers()
        return state.withLock { state in
            guard !state.isOff else { return SQLITE_IOERR }
            state.operations += 1
            let operation = Operation(number: state.operations, kind: kind, file: name, offset: offset, bytes: bytes)
            state.lastOperation = operation
            if options.isTraced { state.trace.append(operation) }
            state.isOff = options.cutAt?.isReached(by: operation) ?? false
            change(&state, operation.number, state.isOff)
            return state.isOff ? SQLITE_IOERR : SQLITE_OK
        }
    }

    func waitForOthers() { state.withLock(\.others)?.wait() }

    // MARK: Locks and the log's index

    func lock(_ name: String, _ handle: Int, _ level: Int32) -> Int32 {
        state.withLock { $0.isOff ? SQLITE_IOERR : $0.locks[name, default: FileLocks()].raise(handle, to: level) }
    }

    func unlock(_ name: String, _ handle: Int, _ level: Int32) {
        state.withLock { $0.locks[name, default: FileLocks()].lower(handle, to: level) }
    }

    func isReserved(_ name: String) -> Bool { state.withLock { $0.locks[name]?.isReserved ?? false } }

    /// A part of the log's index; an address of 0 when it isn't there and isn't to be made.
    func mapSharedMemory(_ name: String, _ handle: Int, region: Int, bytes: Int, extends: Bool) -> UInt? {
        state.withLock { state in
            guard !state.isOff else { return nil }
            return state.sharedMemory(of: name)
                .address(ofRegion: region, bytes: bytes, for: handle, extends: extends)
        }
    }

    func lockSharedMemory(_ name: String, _ handle: Int, _ slots: Range<Int>, isExclusive: Bool) -> Int32 {
        state.withLock { state in
            guard !state.isOff else { return SQLITE_IOERR }
            return state.sharedMemory(of: name).lock(handle, slots, isExclusive: isExclusive)
        }
    }

    func unlockSharedMemory(_ name: String, _ handle: Int, _ slots: Range<Int>) {
        state.withLock { $0.sharedMemory[name]?.unlock(handle, slots) }
    }

    func unmapSharedMemory(_ name: String, _ handle: Int) {
        state.withLock { state in
            guard state.sharedMemory[name]?.leave(handle) == .nobodyLeft else { return }
            state.sharedMemory[name] = nil
        }
    }

    func barrier() { state.withLock { _ in } }
}

extension CrashDisk.State {
    fileprivate mutating func add(_ file: CrashFile) -> Int {
        filesMade += 1
        files[filesMade] = file
        return filesMade
    }

    fileprivate mutating func create(_ name: String) {
        names[name, default: [nil]].append(add(CrashFile(durable: [])))
    }

    fileprivate mutating func sharedMemory(of name: String) -> SharedMemory {
        if let memory = sharedMemory[name] { return memory }
        let memory = SharedMemory()
        sharedMemory[name] = memory
        return memory
    }

    fileprivate func current(_ name: String) -> Int? { names[name]?.last ?? nil }
}
