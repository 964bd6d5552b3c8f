#include "broker/auth/token_verifier.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "broker/auth/base64url.h"
#include "broker/base/json.h"

namespace weir {
namespace {

// The three parts, still encoded.
struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  // Header, dot, payload: the text that is signed.
};

std::optional<Parts> split(std::string_view token) {
  if (token.size() > kTokenBytesMax || std::count(token.begin(), token.end(), '.') != 2) return std::nullopt;
  const auto first = token.find('.');
  const auto second = token.find('.', first + 1);
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1),
               token.substr(0, second)};
}

Result<Json> read_part(std::string_view part) {
  const auto text = decode_base64url(part);
  if (!text) return Error{"is no base64url"};
  return parse_json(*text);
}

struct Header {
  Algorithm algorithm = Algorithm::kHs256;
  std::optional<std::string> key_id;
};

Result<Header> read_header(std::string_view part) {
  const auto json = read_part(part);
  if (!json || !json->is(Json::Kind::kObject)) return Error{"the header of the token can't be read"};
  if (json->find("crit") != nullptr || json->find("b64") != nullptr)
    return Error{"the header of the token asks for extensions"};
  const Json* name = json->find("alg");
  const auto algorithm =
      name == nullptr || !name->is(Json::Kind::kText) ? std::nullopt : parse_algorithm(name->text);
  if (!algorithm) return Error{"the algorithm of the token is not accepted"};
  const Json* key_id = json->find("kid");
  if (key_id == nullptr) return Header{*algorithm, std::nullopt};
  if (!key_id->is(Json::Kind::kText)) return Error{"the kid of the token is no text"};
  return Header{*algorithm, key_id->text};
}

}  // namespace

Result<Claims> verify_token(const KeySet& keys, const std::string& audience, std::string_view token,
                            std::chrono::system_clock::time_point now) {
  const auto parts = split(token);
  if (!parts) return Error{"this is no token of three parts"};
  const auto header = read_header(parts->header);
  if (!header) return header.error();
  if (!keys.has(header->algorithm)) return Error{"the algorithm of the token is not accepted"};
  const auto signature = decode_base64url(parts->signature);
  if (!signature || !keys.verifies(header->algorithm, header->key_id, parts->signed_text, *signature))
    return Error{"the signature of the token is not good"};
  // Parse the payload only now: a holder of a key has signed it.
  const auto payload = read_part(parts->payload);
  if (!payload) return Error{"the payload of the token can't be read"};
  return read_claims(*payload, audience, now);
}

TokenVerifier::TokenVerifier(const KeyStore& keys, std::string audience)
    : keys_(keys), audience_(std::move(audience)) {}

Result<Claims> TokenVerifier::verify(std::string_view token,
                                     std::chrono::system_clock::time_point now) const {
  return verify_token(*keys_.keys(), audience_, token, now);
}

}  // namespace weir
