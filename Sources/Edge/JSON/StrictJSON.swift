// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Decodes JSON that people write, and says of what is wrong where it is.
package enum StrictJSON {
    /// Decodes a text.
    ///
    /// - Parameters:
    ///   - type: What the text stands for.
    ///   - members: What may be in it.
    ///   - bytes: The text.
    ///   - decoder: The decoder that knows the spelling of dates and the like.
    package static func decode<Value: Decodable>(
        _ type: Value.Type,
        members: JSONMembers,
        from bytes: [UInt8],
        decoder: JSONDecoder = JSONDecoder()
    ) throws(JSONFault) -> Value {
        let outline = try JSONOutline(bytes)
        if let fault = members.fault(in: outline) { throw fault }
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw self.fault(error)
        } catch {
            throw JSONFault(field: nil, message: "can't be read")
        }
    }

    private static func fault(_ error: DecodingError) -> JSONFault {
        switch error {
        case .typeMismatch(let type, let context):
            JSONFault(field: self.path(context.codingPath), message: "has to be \(self.name(of: type))")
        case .valueNotFound(_, let context):
            JSONFault(field: self.path(context.codingPath), message: "can't be null")
        case .keyNotFound(let key, let context):
            JSONFault(field: self.path(context.codingPath + [key]), message: "is missing")
        case .dataCorrupted(let context):
            JSONFault(field: self.path(context.codingPath), message: "has a value that is not allowed")
        @unknown default:
            JSONFault(field: nil, message: "can't be read")
        }
    }

    /// `policy.ip_allow[0]`.
    private static func path(_ keys: [any CodingKey]) -> String? {
        guard !keys.isEmpty else { return nil }
        return keys.reduce(into: "") { path, key in
            path = key.intValue.map { JSONPath.element($0, of: path) } ?? JSONPath.member(key.stringValue, of: path)
        }
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type, is any FloatingPoint.Type: "a number"
        // What the decoder looks for where a type has members.
        case is [String: Any].Type: "an object"
        case is any Collection.Type: "an array"
        default: "an object"
        }
    }
}
