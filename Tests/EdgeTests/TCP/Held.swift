// SPDX-License-Identifier: Apache-2.0

/// Holds a value, so that a test can expect what its mutating functions return.
final class Held<Value> {
    private var value: Value

    init(_ value: Value) {
        self.value = value
    }

    func does<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
        try body(&self.value)
    }
}
