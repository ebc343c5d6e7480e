import Foundation
import Glibc
package import HongbaoEngine

/// Why a data folder can't be used, for the person who named it.
package struct DataFolderFault: Error, CustomStringConvertible {
    package let description: String
}

/// The folder with everything that an embedded installation keeps: the store's file and, beside it, the keyring.
package struct DataFolder: Sendable {
    private let path: String

    package init(_ path: String) { self.path = path }

    /// Opens it for the one process that serves, and makes it when there is none.
    ///
    /// Throws `StoreError`, `KeyringFault` or `DataFolderFault`.
    package func open() async throws -> (store: SQLiteStore, keyring: Keyring) {
        let store = try await openToWrite()
        do {
            return (store, try await loadKeyring(of: store))
        } catch {
            try await store.close()
            throw error
        }
    }

    /// Only the store. Throws `StoreError` or `DataFolderFault`.
    package func openToWrite() async throws -> SQLiteStore {
        try await openToWrite { target throws(DataFolderFault) in
            throw DataFolderFault(
                description: """
                    \(promotedFile) says that these data were promoted to \(target): what is granted here from now on \
                    would be missing there. Serve on that; if it was never used, remove that file
                    """
            )
        }
    }

    /// For the one process that carries these data over to `target`, as it has perhaps begun to.
    package func openToPromote(to target: String) async throws -> SQLiteStore {
        guard FileManager.default.fileExists(atPath: "\(path)/\(SQLiteStore.fileName)") else {
            throw DataFolderFault(description: "there is no data in \(path)")
        }
        return try await openToWrite { known throws(DataFolderFault) in
            guard known == target else {
                throw DataFolderFault(
                    description: "\(promotedFile) says that these data were promoted to another place, \(known)"
                )
            }
        }
    }

    /// - Parameter check: asked when these data were promoted, with where to.
    private func openToWrite(
        _ check: (_ target: String) throws(DataFolderFault) -> Void
    ) async throws -> SQLiteStore {
        let store = try openStore(.readWrite)
        do {
            if let target = try promotedTo { try check(target) }
            let durability = try await store.durability()
            guard durability.isFull else {
                let (journal, syncs) = (durability.journalMode, durability.synchronous)
                throw DataFolderFault(
                    description: "the store isn't durable: journal \(journal), synchronous \(syncs)"
                )
            }
            return store
        } catch {
            try await store.close()
            throw error
        }
    }

    package func openStore(_ access: SQLiteStore.Access) throws -> SQLiteStore {
        if access == .readWrite { try make() }
        return try SQLiteStore(folder: path, access: access)
    }

    private func make() throws {
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    /// The keyring of a store, which needn't be in this folder.
    package func loadKeyring(of store: any Store) async throws -> Keyring {
        let isNew = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints().isEmpty }
        return try loadKeyring(isNew: isNew)
    }

    /// New data gets a new keyring; data without its keyring can't be read, so that's refused.
    package func loadKeyring(isNew: Bool) throws -> Keyring {
        let file = "\(path)/keyring"
        if !FileManager.default.fileExists(atPath: file) {
            guard isNew else {
                let advice = "restore the keyring that it was written with"
                throw DataFolderFault(description: "\(file) is missing, but there is data: \(advice)")
            }
            try make()
            let keyring = Keyring()
            try keyring.create(path: file)
            return keyring
        }
        return try Keyring.load(path: file)
    }

    // MARK: Promotion

    /// Says that another store has these data, and is used instead (DP-1).
    private var promotedFile: String { "\(path)/promoted" }

    private var promotedTo: String? {
        get throws(DataFolderFault) {
            guard FileManager.default.fileExists(atPath: promotedFile) else { return nil }
            guard let bytes = FileManager.default.contents(atPath: promotedFile) else {
                throw DataFolderFault(description: "\(promotedFile) can't be read")
            }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.map { String($0) } ?? "?"
        }
    }

    /// From now on `open` and `openToWrite` refuse, also after a power cut.
    package func markPromoted(to target: String) throws(StoreError) {
        let file = Glibc.open(promotedFile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        let text = Array("\(target)\n".utf8)
        let isWritten = file >= 0 && write(file, text, text.count) == text.count && fsync(file) == 0
        let reason = String(cString: strerror(errno))
        if file >= 0 { close(file) }
        guard isWritten, Opening.sync(folderOf: promotedFile) else {
            throw StoreError(.unavailable, "can't write \(promotedFile): \(reason)")
        }
    }
}
