// Checks tokens and their keys. Claims that no token gets in without a key of ours, that a valid token grants
// only what claims may grant, and that no error repeats what was sent.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "broker/api/credential.h"
#include "broker/api/query.h"
#include "broker/auth/base64url.h"
#include "broker/auth/key.h"
#include "broker/auth/key_set.h"
#include "broker/auth/key_store.h"
#include "broker/auth/token_verifier.h"
#include "broker/base/json.h"
#include "fuzz_input.h"
#include "proto/utf8.h"
#include "tests/unit/auth/token_maker.h"

namespace weir {
namespace {

using Document = nlohmann::json;

constexpr std::chrono::system_clock::time_point kNow{std::chrono::seconds(1'800'000'000)};
const std::string kAudience = "weir";

// An error for the token's holder is plain text that cannot end a quoted string in a header.
void check_error(const Error& error) {
  assert(!error.message.empty() && error.message.size() < 200);
  for (const char c : error.message) assert(c >= ' ' && c <= '~' && c != '"' && c != '\\');
}

// Returns the path of a file that only this process uses.
std::string file_of(const std::string& text) {
  const int descriptor = memfd_create("weir-keys", 0);
  if (descriptor < 0 || pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    std::abort();
  return "/proc/self/fd/" + std::to_string(descriptor);
}

struct Keys {
  // The known algorithms come first, in the order of kAlgorithms.
  std::vector<Signer> signers{
      Signer::secret(std::string(32, 's')), Signer::rsa(), Signer::ec(), Signer::ed25519(),
      Signer::secret(std::string(32, 'x')), Signer::rsa(), Signer::ec(), Signer::ed25519()};
  KeyStore store{{.secret = file_of(std::string(32, 's')),
                  .public_key = file_of(signers[1].public_pem()),
                  .jwks = file_of("{\"keys\":[" + signers[2].jwk(R"("kid":"ec",)") + "," +
                                  signers[3].jwk(R"("kid":"ed",)") + "]}")}};
  TokenVerifier verifier{store, kAudience};

  Keys() {
    const auto error = store.load();
    assert(!error);
  }
};

constexpr std::size_t kKnownSigners = 4;
constexpr const char* kAlgorithms[kKnownSigners] = {"HS256", "RS256", "ES256", "EdDSA"};

void check_forged(Keys& keys, std::string_view token) {
  const auto claims = keys.verifier.verify(token, kNow);
  assert(!claims);
  check_error(claims.error());
}

void check_claims(const Claims& claims, const Document& payload) {
  assert(claims.expires_at > kNow && payload.at("exp").is_number());
  const double seconds = std::chrono::duration<double>(claims.expires_at.time_since_epoch()).count();
  assert(payload.at("exp").get<double>() <= kTimeMax && seconds <= payload.at("exp").get<double>() + 1);
  if (payload.contains("nbf")) assert(payload["nbf"].get<double>() <= 1'800'000'000 + 31.0);
  const Document& audience = payload.at("aud");
  assert(audience == kAudience || std::find(audience.begin(), audience.end(), kAudience) != audience.end());
  if (!payload.contains("weir")) assert(claims.subscribe.empty() && claims.publish.empty());
  for (const auto* patterns : {&claims.subscribe, &claims.publish}) {
    const Document listed =
        payload.value("weir", Document::object())
            .value(patterns == &claims.publish ? "publish" : "subscribe", Document::array());
    for (const std::string& pattern : *patterns)
      assert(std::find(listed.begin(), listed.end(), pattern) != listed.end());
  }
}

// Makes a token with any header and payload, signed by us or by somebody else.
void check_signed(Keys& keys, FuzzInput& input) {
  const std::size_t which = input.choice(keys.signers.size());
  const std::string_view header = input.until('\n');
  const std::string payload(input.rest());
  const auto claims = keys.verifier.verify(make_token(keys.signers[which], header, payload), kNow);
  if (!claims) return check_error(claims.error());
  assert(which < kKnownSigners);
  const std::string algorithm = Document::parse(header).at("alg");
  assert(algorithm == kAlgorithms[which] || (which == 3 && algorithm == "Ed25519"));
  check_claims(*claims, Document::parse(payload));
}

void check_keys(std::string_view text) {
  KeySet keys;
  if (const auto error = keys.add_jwks(text)) {
    assert(!error->message.empty() && error->message.find_first_of("\r\n") == std::string::npos);
  } else {
    assert(keys.size() >= 1 && keys.size() <= KeySet::kKeysMax);
    assert(!keys.verifies(Algorithm::kRs256, std::nullopt, "text", "signature"));
  }
  const auto pem = Key::from_pem(std::string(text));
  if (pem) assert(!pem->empty());
  const auto secret = Key::from_secret(std::string(text));
  if (secret) assert(text.size() >= kSecretBytesMin);
}

std::size_t depth_of(const Document& document) {
  std::size_t deepest = 0;
  if (document.is_structured()) {
    for (const auto& each : document) deepest = std::max(deepest, depth_of(each));
    ++deepest;
  }
  return deepest;
}

void check_json(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) {
    assert(!json.error().message.empty() && json.error().message.find_first_of("\r\n") == std::string::npos);
    return;
  }
  const Document document = Document::parse(text, nullptr, false);
  assert(!document.is_discarded() && is_utf8(text) && depth_of(document) <= kJsonDepthMax);
  assert(json->is(Json::Kind::kObject) == document.is_object() &&
         json->is(Json::Kind::kText) == document.is_string());
  if (document.is_string()) assert(json->text == document.get<std::string>());
  if (!document.is_object()) return;
  assert(json->names.size() == document.size());  // No name twice.
  for (const std::string& name : json->names) assert(document.contains(name) && json->find(name) != nullptr);
}

void check_base64url(std::string_view text) {
  if (const auto bytes = decode_base64url(text)) assert(encode_base64url(*bytes) == text);
  assert(decode_base64url(encode_base64url(text)) == std::string(text));
}

// The input is a query and the values of two headers.
void check_credential(FuzzInput& input) {
  const std::string query(input.until('\n'));
  Head head;
  head.headers.push_back({"authorization", std::string(input.until('\n'))});
  head.headers.push_back({"cookie", std::string(input.rest())});
  const auto parameters = parse_query(query);
  if (!parameters) return;
  const auto credential = find_credential(head, *parameters, "weir_token");
  if (!credential) check_error(credential.error());
  // A logged query has names only, no values.
  const auto logged = parse_query(redacted_query(query));
  assert(logged && logged->size() <= parameters->size() + 1);
  for (const auto& [name, value] : *logged) assert(value.empty() || value == "(redacted)");
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static weir::Keys keys;
  weir::FuzzInput input(data, size);
  switch (input.choice(6)) {
    case 0:
      weir::check_forged(keys, input.rest());
      break;
    case 1:
      weir::check_signed(keys, input);
      break;
    case 2:
      weir::check_keys(input.rest());
      break;
    case 3:
      weir::check_json(input.rest());
      break;
    case 4:
      weir::check_base64url(input.rest());
      break;
    default:
      weir::check_credential(input);
      break;
  }
  return 0;
}
