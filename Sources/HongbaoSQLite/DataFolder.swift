import Foundation
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
        let store = try openStore(.readWrite)
        do {
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
}
