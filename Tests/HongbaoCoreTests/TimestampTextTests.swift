import HongbaoCore
import Testing

@Suite struct TimestampTextTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.001+00:00", 1),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2022-01-31T19:30:00.000+08:00", 1_643_628_600_000),
            ("2022-01-31T19:30:00+08:00", 1_643_628_600_000),
            ("2022-01-31T11:30:00Z", 1_643_628_600_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("0000-02-29T00:00:00Z", -62_162_121_600_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("2022-01-01T00:00:00-05:30", 1_641_015_000_000),
        ] as [(String, Int64)]
    )
    func reads(text: String, milliseconds: Int64) {
        #expect(Timestamp(iso8601: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2022", "2022-01-31", "2022-01-31T19:30:00", "2022-01-31 19:30:00+08:00", "2022-1-31T19:30:00+08:00",
        "2022-01-31T19:30:00+0800", "2022-01-31T19:30:00+8:00", "2022-01-31T19:30:00.0+08:00",
        "2022-01-31T19:30:00.0000+08:00", "2022-01-31T19:30:00,000+08:00", "2022-01-31t19:30:00z",
        "2022-13-01T00:00:00Z", "2022-00-01T00:00:00Z", "2022-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2022-04-31T00:00:00Z", "2022-01-00T00:00:00Z", "2022-01-01T24:00:00Z", "2022-01-01T00:60:00Z",
        "2022-01-01T00:00:60Z", "2022-01-01T00:00:00+24:00", "2022-01-01T00:00:00+08:60", "2022-01-01T00:00:00Z ",
        " 2022-01-01T00:00:00Z", "-2022-01-01T00:00:00Z", "+2022-01-01T00:00:00Z", "20222-01-01T00:00:00Z",
        "2022-01-01T00:00:00.Z", "2022-01-01T00:00:00.-10Z", "２022-01-01T00:00:00Z", "2022-01-01T00:00:00ZZ",
    ])
    func refuses(text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    /// Days of 800 years, at times and offsets that vary.
    @Test func readingIsTheInverseOfWriting() {
        var milliseconds: Int64 = -13_000_000_000_000
        var step: Int64 = 0
        var failures: [Int64] = []
        while milliseconds < 12_500_000_000_000 {
            let instant = Timestamp(milliseconds: milliseconds)
            let offset = step % 2879 - 1439
            if Timestamp(iso8601: instant.iso8601(offsetMinutes: offset)) != instant { failures.append(milliseconds) }
            step += 1
            milliseconds += 86_399_137 * 97
        }
        #expect(failures == [])
        #expect(step > 3000)
    }

    @Test func whatHasNoYearIsWrittenInMilliseconds() {
        #expect(Timestamp(milliseconds: .max).iso8601() == "9223372036854775807")
        #expect(Timestamp(milliseconds: .min).iso8601() == "-9223372036854775808")
        #expect(Timestamp(milliseconds: 253_402_300_800_000).iso8601(offsetMinutes: 0) == "253402300800000")
        #expect(Timestamp(milliseconds: 1_643_628_600_000).iso8601() == "2022-01-31T19:30:00.000+08:00")
        #expect(Timestamp(milliseconds: -1).iso8601(offsetMinutes: -30) == "1969-12-31T23:29:59.999-00:30")
    }
}
