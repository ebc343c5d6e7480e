import GRDB
import GRDBSQLite
import HongbaoCore
import HongbaoEngine

/// Answers questions on one of the pool's reading connections, inside the transaction that its reader has opened.
struct Snapshot: StoreSnapshot {
    let database: Database

    func prepared(_ query: Query) throws(StoreError) -> PreparedStatement {
        do {
            return PreparedStatement(raw: try database.cachedStatement(sql: query.sql).sqliteStatement)
        } catch {
            throw StoreError(error)
        }
    }
}
