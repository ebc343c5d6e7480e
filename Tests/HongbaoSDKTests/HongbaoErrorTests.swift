import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Testing

@testable import HongbaoSDK

/// Codes are part of the API: they are those of HTTP, and say the same about trying again.
@Suite struct HongbaoErrorTests {
    @Test(arguments: GrantRefusal.allCases)
    func refusalsHaveTheCodesOfHTTP(refusal: GrantRefusal) {
        let error = HongbaoError(refusal)
        #expect(error.code.rawValue == refusal.problem.code.rawValue)
        #expect(error.isRetryable == refusal.problem.code.row.isRetryable)
    }

    @Test(arguments: [StoreError.Code.unavailable, .outcomeUnknown, .fenced, .corrupt, .tooNew])
    func faultsHaveTheCodesOfHTTP(code: StoreError.Code) {
        let fault = StoreError(code, "why")
        let error = HongbaoError(fault)
        #expect(error.code.rawValue == Problem(fault).code.rawValue)
        #expect(error.isRetryable == Problem(fault).code.row.isRetryable)
        #expect(error.message == "why" && "\(error)" == "\(error.code): why")
    }

    @Test func moneyIsWrittenInYuan() {
        let amounts: [Int64] = [0, 1, 10, 99, 100, 12_345, -5, -12_345, .max, .min]
        let texts = amounts.map { "\(Money(fen: $0))" }
        #expect(
            texts == [
                "0.00", "0.01", "0.10", "0.99", "1.00", "123.45", "-0.05", "-123.45", "92233720368547758.07",
                "-92233720368547758.08",
            ]
        )
        #expect(Money(fen: 1) < Money(fen: 2))
    }
}
