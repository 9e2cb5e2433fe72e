// SPDX-License-Identifier: Apache-2.0

/// What a replay changes of the request that it repeats; what is `nil` stays as it was.
package struct ReplayEdit: Equatable, Sendable {
    /// The method.
    package var method: String?
    /// The request target with its query.
    package var target: String?
    /// All fields, in order and with repeats.
    package var fields: [HeadText.Field]?
    /// The body, without transfer coding.
    package var body: [UInt8]?

    /// Makes an edit that changes nothing but what is given.
    package init(
        method: String? = nil,
        target: String? = nil,
        fields: [HeadText.Field]? = nil,
        body: [UInt8]? = nil
    ) {
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
    }

    /// Whether it changes nothing.
    package var isEmpty: Bool { self == ReplayEdit() }
}
