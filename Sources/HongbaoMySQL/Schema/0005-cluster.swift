extension Schema {
    /// Which node of a cluster has a mint, and among how many mints everybody is divided (DP-3).
    static let cluster0005 = Migration(
        number: 5,
        name: "cluster",
        statements: [
            """
            ALTER TABLE mint
                ADD COLUMN IF NOT EXISTS mints BIGINT NOT NULL DEFAULT 1 CHECK (mints BETWEEN 1 AND 64),
                ADD COLUMN IF NOT EXISTS holder VARCHAR(255) CHECK (holder <> ''),
                ADD COLUMN IF NOT EXISTS beats BIGINT NOT NULL DEFAULT 0 CHECK (beats BETWEEN 0 AND 4294967295),
                ADD COLUMN IF NOT EXISTS wanted_by VARCHAR(255) CHECK (wanted_by <> '')
            """,
            refusal(
                "division_is_fixed",
                "UPDATE ON mint",
                when: "NEW.mints <> OLD.mints",
                "DP-3: a person keeps their mint"
            ),
        ]
    )
}
