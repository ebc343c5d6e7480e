extension Schema {
    /// Coupons and pendants: inventories beside budgets, and what was promised to their downstreams.
    static let rewards0003 = Migration(id: "0003-rewards", sql: pools + pieces + rewards)

    /// A budget's scene becomes a pool: a scene, or 2^32 and a template.
    private static let pools = """
        CREATE TABLE new_budget (
            pool INTEGER PRIMARY KEY CHECK (pool BETWEEN 0 AND 8589934591),
            total INTEGER NOT NULL CHECK (total >= 0),
            allotted INTEGER NOT NULL,
            -- 1 cash, 2 subsidy; from 3 on coupons and pendants
            kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 13),
            -- BU-4: the last part, which isn't leased.
            reserve INTEGER NOT NULL DEFAULT 0 CHECK (reserve >= 0),
            quota INTEGER CHECK (quota > 0),
            quota_seconds INTEGER CHECK (quota_seconds BETWEEN 1 AND 4294967295),
            -- The slice of the quota that was leased in last.
            slice INTEGER,
            slice_leased INTEGER CHECK (slice_leased >= 0),
            -- M6
            CHECK (allotted BETWEEN 0 AND total),
            -- M4: scenes give money, templates anything else.
            CHECK ((pool < 4294967296) = (kind <= 2)),
            CHECK ((quota IS NULL) = (quota_seconds IS NULL)),
            CHECK ((slice IS NULL) = (slice_leased IS NULL))
        ) STRICT;
        INSERT INTO new_budget (pool, total, allotted, kind) SELECT scene, total, allotted, kind FROM budget;
        ALTER TABLE lease RENAME TO old_lease;
        DROP TABLE budget;
        ALTER TABLE new_budget RENAME TO budget;
        CREATE TRIGGER budget_keeps_its_kind BEFORE UPDATE ON budget WHEN NEW.kind <> OLD.kind
            BEGIN SELECT RAISE(ABORT, 'M4: what a pool gives stays what it is'); END;

        CREATE TABLE lease (
            pool INTEGER NOT NULL REFERENCES budget (pool),
            mint INTEGER NOT NULL CHECK (mint BETWEEN 0 AND 4294967295),
            epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
            allotted INTEGER NOT NULL,
            issued INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            -- M6
            CHECK (issued BETWEEN 0 AND allotted),
            PRIMARY KEY (pool, mint)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO lease SELECT scene, mint, epoch, allotted, issued, expires_at FROM old_lease;
        DROP TABLE old_lease;
        CREATE TRIGGER lease_goes_forward BEFORE UPDATE ON lease
            WHEN NEW.issued < OLD.issued OR NEW.epoch < OLD.epoch
            BEGIN SELECT RAISE(ABORT, 'M6: what was issued stays issued'); END;

        """

    private static let pieces = """
        CREATE TABLE new_grant_batch (
            mint INTEGER NOT NULL REFERENCES mint (id),
            sequence INTEGER NOT NULL CHECK (sequence >= 1),
            epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
            count INTEGER NOT NULL CHECK (count BETWEEN 1 AND 256),
            total INTEGER NOT NULL CHECK (total >= 0),
            at INTEGER NOT NULL,
            record BLOB NOT NULL,
            -- Coupons and pendants in it, one piece each.
            pieces INTEGER NOT NULL DEFAULT 0 CHECK (pieces BETWEEN 0 AND count),
            -- M5: a sequence names one batch.
            PRIMARY KEY (mint, sequence)
        ) STRICT;
        INSERT INTO new_grant_batch (mint, sequence, epoch, count, total, at, record)
            SELECT mint, sequence, epoch, count, total, at, record FROM grant_batch;
        DROP TABLE grant_batch;
        ALTER TABLE new_grant_batch RENAME TO grant_batch;
        CREATE TRIGGER grant_batch_is_final BEFORE UPDATE ON grant_batch
            BEGIN SELECT RAISE(ABORT, 'M4: what was accepted is never changed'); END;
        CREATE TRIGGER grant_batch_stays BEFORE DELETE ON grant_batch
            BEGIN SELECT RAISE(ABORT, 'M5: what was accepted is never deleted'); END;

        """

    private static let rewards = """
        -- A reward's key is its order number, in the two halves of a transfer's.
        CREATE TABLE reward (
            person INTEGER NOT NULL,
            part INTEGER NOT NULL,
            template INTEGER NOT NULL CHECK (template BETWEEN 0 AND 4294967295),
            kind INTEGER NOT NULL CHECK (kind BETWEEN 3 AND 13),
            at INTEGER NOT NULL,
            app INTEGER NOT NULL CHECK (app BETWEEN 0 AND 65535),
            retried INTEGER NOT NULL CHECK (retried IN (0, 1)),
            -- 1 promised, 2 given, 3 redeemed, 4 refused
            state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
            attempts INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
            next_check_at INTEGER NOT NULL,
            given_at INTEGER,
            redeemed_at INTEGER,
            -- M13: the template is of the book in the order number, whose scene number isn't 0.
            CHECK (template >> 16 = part >> 48 & 65535 AND part >> 32 & 65535 <> 0),
            -- M10
            CHECK ((state IN (2, 3)) = (given_at IS NOT NULL)),
            CHECK ((state = 3) = (redeemed_at IS NOT NULL)),
            -- GR-6: only what a scene doesn't retry may be refused for good.
            CHECK (state <> 4 OR retried = 0),
            -- M3: at most one for an order number.
            PRIMARY KEY (person, part)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX reward_due ON reward (kind, next_check_at) WHERE state = 1;
        CREATE TRIGGER reward_goes_forward BEFORE UPDATE ON reward
            WHEN NOT (NEW.state = OLD.state OR OLD.state = 1 AND NEW.state IN (2, 4) OR OLD.state = 2 AND NEW.state = 3)
                OR OLD.given_at IS NOT NULL AND NEW.given_at IS NOT OLD.given_at
                OR OLD.redeemed_at IS NOT NULL AND NEW.redeemed_at IS NOT OLD.redeemed_at
            BEGIN SELECT RAISE(ABORT, 'M10: a reward only goes forward'); END;
        CREATE TRIGGER reward_is_promised
            BEFORE UPDATE OF person, part, template, kind, at, app, retried ON reward
            BEGIN SELECT RAISE(ABORT, 'M15: what was promised to a downstream is never changed'); END;
        CREATE TRIGGER reward_stays BEFORE DELETE ON reward
            BEGIN SELECT RAISE(ABORT, 'M15: a reward is never deleted'); END;
        """
}
