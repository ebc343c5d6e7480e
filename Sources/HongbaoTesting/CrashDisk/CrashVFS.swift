import Foundation
import GRDBSQLite
import Synchronization

/// Puts crash disks under SQLite: files in a folder where one is mounted are on it, all others where they always are.
///
/// It's SQLite's default file system once something was mounted, so that the store opens its files as it always does
/// and needn't know. GRDB can't name another one but by a URI, by which it then looks for the log in vain.
package enum CrashVFS {
    private static let disks = Mutex<[String: CrashDisk]>([:])
    private static let registration: Int32 = register()

    /// Whatever SQLite opens in the folder from now on is on the disk. The folder must hold the same files: what
    /// doesn't go through SQLite, such as the store's look at a file's header, sees these.
    package static func mount(_ disk: CrashDisk, at folder: String) {
        precondition(registration == SQLITE_OK)
        disks.withLock { $0[resolved(folder)] = disk }
    }

    /// All files in the folder must have been closed.
    package static func unmount(_ folder: String) { _ = disks.withLock { $0.removeValue(forKey: resolved(folder)) } }

    /// As SQLite names it, without symbolic links.
    private static func resolved(_ folder: String) -> String {
        guard let path = realpath(folder, nil) else { return folder }
        defer { free(path) }
        return String(cString: path)
    }

    /// The disk on which a file is, and its name there; `nil` for a file elsewhere.
    fileprivate static func place(of path: UnsafePointer<CChar>?) -> (disk: CrashDisk, name: String)? {
        guard let path else { return nil }
        let parts = String(cString: path).split(separator: "/", omittingEmptySubsequences: false)
        guard let name = parts.last else { return nil }
        let folder = parts.dropLast().joined(separator: "/")
        return disks.withLock { $0[folder] }.map { ($0, String(name)) }
    }

    /// A copy of the default file system that opens, finds and deletes files on crash disks. Both live as long as the
    /// process.
    private static func register() -> Int32 {
        guard let usual = sqlite3_vfs_find(nil), let name = strdup("hongbao-crash") else { return SQLITE_ERROR }
        let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        methods.initialize(to: .onCrashDisk)
        let base = UnsafeMutablePointer<Base>.allocate(capacity: 1)
        base.initialize(to: Base(usual: usual, methods: methods))
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        vfs.initialize(to: usual.pointee)
        vfs.pointee.pNext = nil
        vfs.pointee.zName = UnsafePointer(name)
        vfs.pointee.pAppData = UnsafeMutableRawPointer(base)
        vfs.pointee.szOsFile = max(usual.pointee.szOsFile, Int32(MemoryLayout<CrashHandle>.stride))
        vfs.pointee.xOpen = { vfs, path, file, flags, flagsOut in
            guard let base = Base.of(vfs) else { return SQLITE_MISUSE }
            guard let place = CrashVFS.place(of: path) else {
                return base.usual.pointee.xOpen(base.usual, path, file, flags, flagsOut)
            }
            return CrashHandle.open(place.disk, place.name, file, flags, flagsOut, base.methods)
        }
        vfs.pointee.xDelete = { vfs, path, syncsFolder in
            guard let base = Base.of(vfs) else { return SQLITE_MISUSE }
            guard let place = CrashVFS.place(of: path) else {
                return base.usual.pointee.xDelete(base.usual, path, syncsFolder)
            }
            return place.disk.delete(place.name, syncsFolder: syncsFolder != 0)
        }
        vfs.pointee.xAccess = { vfs, path, flags, answer in
            guard let base = Base.of(vfs), let answer else { return SQLITE_MISUSE }
            guard let place = CrashVFS.place(of: path) else {
                return base.usual.pointee.xAccess(base.usual, path, flags, answer)
            }
            // The usual one says, too, that a file without content doesn't exist.
            let size = place.disk.size(named: place.name)
            answer.pointee = (flags == SQLITE_ACCESS_EXISTS ? size ?? 0 > 0 : size != nil) ? 1 : 0
            return SQLITE_OK
        }
        return sqlite3_vfs_register(vfs, 1)
    }

    /// What `xOpen` needs, as the file system carries it.
    private struct Base {
        let usual: UnsafeMutablePointer<sqlite3_vfs>
        let methods: UnsafeMutablePointer<sqlite3_io_methods>

        static func of(_ vfs: UnsafeMutablePointer<sqlite3_vfs>?) -> Base? {
            vfs?.pointee.pAppData?.assumingMemoryBound(to: Base.self).pointee
        }
    }
}

/// SQLite's extended codes, whose macros Swift can't import.
enum SQLiteCode {
    static let shortRead = SQLITE_IOERR | 2 << 8
    static let noSuchFile = SQLITE_IOERR | 23 << 8
}

/// SQLite's memory for one open file. The first field must be SQLite's own.
private struct CrashHandle {
    var base: sqlite3_file
    var opened: Unmanaged<OpenCrashFile>

    static func open(
        _ disk: CrashDisk,
        _ name: String,
        _ file: UnsafeMutablePointer<sqlite3_file>?,
        _ flags: Int32,
        _ flagsOut: UnsafeMutablePointer<Int32>?,
        _ methods: UnsafeMutablePointer<sqlite3_io_methods>
    ) -> Int32 {
        guard let file else { return SQLITE_MISUSE }
        file.pointee.pMethods = nil
        guard let opened = disk.open(name, creates: flags & SQLITE_OPEN_CREATE != 0) else { return SQLITE_CANTOPEN }
        let isWriter = flags & SQLITE_OPEN_MAIN_DB != 0 && flags & SQLITE_OPEN_READWRITE != 0
        let own = Unmanaged.passRetained(OpenCrashFile(disk, name, opened, isWriter: isWriter))
        UnsafeMutableRawPointer(file).initializeMemory(
            as: CrashHandle.self,
            to: CrashHandle(base: sqlite3_file(pMethods: methods), opened: own)
        )
        flagsOut?.pointee = flags
        return SQLITE_OK
    }

    static func of(_ file: UnsafeMutablePointer<sqlite3_file>?) -> OpenCrashFile? {
        guard let file else { return nil }
        return UnsafeMutableRawPointer(file).assumingMemoryBound(to: CrashHandle.self).pointee.opened
            .takeUnretainedValue()
    }

    static func close(_ file: UnsafeMutablePointer<sqlite3_file>) {
        let handle = UnsafeMutableRawPointer(file).assumingMemoryBound(to: CrashHandle.self)
        handle.pointee.opened.release()
        handle.pointee.base.pMethods = nil
    }
}

/// One connection's view of one file.
private final class OpenCrashFile {
    let disk: CrashDisk
    let name: String
    let file: Int
    let handle: Int
    /// The connection that writes: only it waits for others.
    let isWriter: Bool

    init(_ disk: CrashDisk, _ name: String, _ opened: CrashDisk.Opened, isWriter: Bool) {
        self.disk = disk
        self.name = name
        file = opened.file
        handle = opened.handle
        self.isWriter = isWriter
    }

    func lockSharedMemory(_ slots: Range<Int>, _ flags: Int32) -> Int32 {
        if isWriter { disk.waitForOthers() }
        guard flags & SQLITE_SHM_LOCK != 0 else {
            disk.unlockSharedMemory(name, handle, slots)
            return SQLITE_OK
        }
        return disk.lockSharedMemory(name, handle, slots, isExclusive: flags & SQLITE_SHM_EXCLUSIVE != 0)
    }
}

extension sqlite3_io_methods {
    /// What SQLite does to a file on a crash disk.
    fileprivate static var onCrashDisk: Self {
        var methods = Self()
        methods.iVersion = 2
        methods.addReading()
        methods.addWriting()
        methods.addLocks()
        return methods
    }

    private mutating func addReading() {
        xClose = { file in
            guard let file, let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            own.disk.unlock(own.name, own.handle, SQLITE_LOCK_NONE)
            CrashHandle.close(file)
            return SQLITE_OK
        }
        xRead = { file, buffer, count, offset in
            guard let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            return own.disk.read(own.file, into: .init(start: buffer, count: Int(count)), at: Int(offset))
        }
        xFileSize = { file, answer in
            guard let own = CrashHandle.of(file), let answer else { return SQLITE_MISUSE }
            guard let size = own.disk.size(own.file) else { return SQLITE_IOERR }
            answer.pointee = Int64(size)
            return SQLITE_OK
        }
        xFileControl = { _, _, _ in SQLITE_NOTFOUND }
        // What the usual file system says; sectors are smaller than that, so a page can be torn.
        xSectorSize = { _ in 4_096 }
        xDeviceCharacteristics = { _ in SQLITE_IOCAP_POWERSAFE_OVERWRITE }
    }

    private mutating func addWriting() {
        xWrite = { file, buffer, count, offset in
            guard let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            let bytes = [UInt8](UnsafeRawBufferPointer(start: buffer, count: Int(count)))
            return own.disk.write(own.file, own.name, bytes, at: Int(offset))
        }
        xTruncate = { file, count in
            guard let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            return own.disk.resize(own.file, own.name, to: Int(count))
        }
        xSync = { file, _ in
            guard let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            return own.disk.sync(own.file, own.name)
        }
    }

    private mutating func addLocks() {
        xLock = { file, level in
            guard let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            return own.disk.lock(own.name, own.handle, level)
        }
        xUnlock = { file, level in
            guard let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            own.disk.unlock(own.name, own.handle, level)
            return SQLITE_OK
        }
        xCheckReservedLock = { file, answer in
            guard let own = CrashHandle.of(file), let answer else { return SQLITE_MISUSE }
            answer.pointee = own.disk.isReserved(own.name) ? 1 : 0
            return SQLITE_OK
        }
        xShmMap = { file, region, bytes, extends, answer in
            guard let own = CrashHandle.of(file), let answer else { return SQLITE_MISUSE }
            let address = own.disk.mapSharedMemory(
                own.name,
                own.handle,
                region: Int(region),
                bytes: Int(bytes),
                extends: extends != 0
            )
            guard let address else { return SQLITE_IOERR }
            answer.pointee = UnsafeMutableRawPointer(bitPattern: address)
            return SQLITE_OK
        }
        xShmLock = { file, first, count, flags in
            guard let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            return own.lockSharedMemory(Int(first)..<Int(first + count), flags)
        }
        xShmBarrier = { file in CrashHandle.of(file)?.disk.barrier() }
        xShmUnmap = { file, _ in
            guard let own = CrashHandle.of(file) else { return SQLITE_MISUSE }
            own.disk.unmapSharedMemory(own.name, own.handle)
            return SQLITE_OK
        }
    }
}
