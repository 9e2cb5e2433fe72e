// SPDX-License-Identifier: Apache-2.0
import HTTP1

/// How often a request has come through an edge (`Culvert-Hops`), so that one whose tunnel leads back to the edge ends.
///
/// `Via` is there for that, too (RFC 9110 §7.6.3), but many pass it on from strangers or take it out.
struct HopCount: Equatable {
    let value: Int

    /// How often a request may come through: an edge behind a tunnel of another one is no loop.
    static let maximum = 5

    init(_ section: FieldSection) {
        guard section.contains(.culvertHops) else {
            self.value = 0
            return
        }
        // What is no number was not written by an edge. Who writes a larger one harms itself.
        self.value = section.values(.culvertHops).compactMap { UInt16($0) }.max().map { Int($0) } ?? 0
    }

    /// Whether the request goes in circles.
    var isLoop: Bool { self.value >= Self.maximum }
}
