// SPDX-License-Identifier: Apache-2.0
import Testing

/// The program of all tests, on Linux.
///
/// SwiftPM takes this file for it, and so need not look into the compiler's index for tests of XCTest, of which there are
/// none: `scripts/test` builds without an index. `swift test` starts the program twice, the first time for XCTest.
@main
struct XCTMain {
    static func main() async {
        let arguments = CommandLine.arguments
        guard let option = arguments.firstIndex(of: "--testing-library"),
            arguments[(option + 1)...].first == "swift-testing"
        else { return }
        await Testing.__swiftPMEntryPoint() as Never
    }
}
