extension Schema {
    /// Which node of a cluster has a mint, and among how many mints everybody is divided (DP-3).
    static let cluster0005 = Migration(
        id: "0005-cluster",
        sql: """
            ALTER TABLE mint ADD COLUMN mints INTEGER NOT NULL DEFAULT 1 CHECK (mints BETWEEN 1 AND 64);
            ALTER TABLE mint ADD COLUMN holder TEXT CHECK (length(holder) BETWEEN 1 AND 255);
            ALTER TABLE mint ADD COLUMN beats INTEGER NOT NULL DEFAULT 0 CHECK (beats BETWEEN 0 AND 4294967295);
            ALTER TABLE mint ADD COLUMN wanted_by TEXT CHECK (length(wanted_by) BETWEEN 1 AND 255);
            CREATE TRIGGER division_is_fixed BEFORE UPDATE ON mint WHEN NEW.mints <> OLD.mints
                BEGIN SELECT RAISE(ABORT, 'DP-3: a person keeps their mint'); END;
            """
    )
}
