// SPDX-License-Identifier: Apache-2.0
import FuzzDriver
import FuzzTargets

/// Called by libFuzzer, whose `main` this program has.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCapture(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    FuzzDriver.check(.capture, start, count)
}
