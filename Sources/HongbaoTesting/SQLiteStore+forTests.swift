package import HongbaoEngine
package import HongbaoSQLite

extension SQLiteStore {
    /// Opens a store that this process may have closed a moment ago.
    ///
    /// Another test that starts a program forks, and until its child executes the program the child holds every lock of
    /// this process, so a lock that was let go may seem taken for a few milliseconds.
    package static func reopened(folder: String) async throws -> SQLiteStore {
        for _ in 0..<100 {
            do throws(StoreError) {
                return try SQLiteStore(folder: folder)
            } catch {
                guard error.code == .unavailable else { throw error }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        return try SQLiteStore(folder: folder)
    }
}

extension Audit {
    /// Audits what a process has left in a folder.
    package static func run(_ folder: TemporaryFolder, keyring: Keyring) async throws -> AuditReport {
        let store = try await SQLiteStore.reopened(folder: folder.path)
        let report = try await run(store, keyring: keyring)
        try await store.close()
        return report
    }
}
