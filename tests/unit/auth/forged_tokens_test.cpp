// Tokens that somebody without a key, or with a key and bad manners, might send: none gets in.
#include "broker/auth/token_verifier.h"
#include "tests/unit/auth/auth_fixture.h"

namespace weir {
namespace {

// All kinds of keys at once, so that a token for one can be tried at another.
class ForgedTokens : public testing::Test {
 protected:
  void SetUp() override {
    const auto error = store_.load();
    ASSERT_FALSE(error) << error->message;
    ASSERT_TRUE(is_let_in(make_token(hmac(), R"({"alg":"HS256"})", kGoodClaims)));
    ASSERT_TRUE(is_let_in(make_token(rsa(), R"({"alg":"RS256"})", kGoodClaims)));
    ASSERT_TRUE(is_let_in(make_token(ec(), R"({"alg":"ES256"})", kGoodClaims)));
    ASSERT_TRUE(is_let_in(make_token(ed(), R"({"alg":"EdDSA"})", kGoodClaims)));
  }

  bool is_let_in(const std::string& token) { return verifier_.verify(token, kNow).has_value(); }
  void expect_refused(const std::string& token) {
    const auto claims = verifier_.verify(token, kNow);
    ASSERT_FALSE(claims) << token;
    // It goes into a header, between quotes.
    for (const char c : claims.error().message) EXPECT_TRUE(c >= ' ' && c <= '~' && c != '"' && c != '\\');
  }
  // With a signature that is good.
  void expect_header_refused(const std::string& header) {
    SCOPED_TRACE(header);
    expect_refused(make_token(hmac(), header, kGoodClaims));
  }
  void expect_payload_refused(const std::string& payload) {
    SCOPED_TRACE(payload);
    expect_refused(make_token(hmac(), R"({"alg":"HS256"})", payload));
  }

  static const Signer& hmac() {
    static const Signer signer = Signer::secret(std::string(32, 's'));
    return signer;
  }
  static const Signer& rsa() {
    static const Signer signer = Signer::rsa();
    return signer;
  }
  static const Signer& ec() {
    static const Signer signer = Signer::ec();
    return signer;
  }
  static const Signer& ed() {
    static const Signer signer = Signer::ed25519();
    return signer;
  }

  KeyFolder folder_;
  KeyStore store_{{folder_.write("secret", std::string(32, 's')),
                   folder_.write("pem", rsa().public_pem() + ec().public_pem()),
                   folder_.write("jwks", "{\"keys\":[" + ed().jwk(R"("kid":"ed",)") + "]}")}};
  TokenVerifier verifier_{store_, ""};
};

TEST_F(ForgedTokens, WithoutASignature) {
  const std::string payload = encode_base64url(kGoodClaims);
  for (const char* name : {"none", "None", "NONE", "nOnE", "", "null", "none ", "n\\u006fne"}) {
    const std::string header = encode_base64url(std::string("{\"alg\":\"") + name + "\"}");
    for (const std::string& end :
         {"." + payload + ".", "." + payload, "." + payload + ".AA", "." + payload + ".."}) {
      expect_refused(header + end);
    }
  }
  for (const char* header : {"{}", R"({"alg":null})", R"({"alg":["none"]})", R"({"alg":{"a":1}})",
                             R"({"alg":0})", R"({"alg":true})"}) {
    expect_refused(encode_base64url(header) + "." + payload + ".");
    expect_header_refused(header);
  }
  for (const char* name : {"HS256", "RS256", "ES256", "EdDSA"}) {
    const std::string text = encode_base64url(std::string("{\"alg\":\"") + name + "\"}") + "." + payload;
    expect_refused(text + ".");
    expect_refused(text);
    for (const std::size_t size : {1U, 32U, 64U, 70U, 256U}) {
      expect_refused(text + "." + encode_base64url(std::string(size, '\0')));
    }
  }
}

TEST_F(ForgedTokens, WithAnotherKey) {
  expect_refused(make_token(Signer::secret(std::string(32, 't')), R"({"alg":"HS256"})", kGoodClaims));
  expect_refused(make_token(Signer::rsa(), R"({"alg":"RS256"})", kGoodClaims));
  expect_refused(make_token(Signer::ec(), R"({"alg":"ES256"})", kGoodClaims));
  expect_refused(make_token(Signer::ed25519(), R"({"alg":"EdDSA"})", kGoodClaims));
}

TEST_F(ForgedTokens, ThatTakeAPublicKeyForASecret) {
  const std::string pem = rsa().public_pem();
  const std::string jwk = ed().jwk();
  std::string x = jwk.substr(jwk.find("\"x\":\"") + 5);
  x.resize(x.find('"'));
  for (const std::string& secret : {pem, pem.substr(0, pem.size() - 1), ec().public_pem(), jwk, x}) {
    for (const char* header : {R"({"alg":"HS256"})", R"({"alg":"HS256","kid":"ed"})", R"({"alg":"RS256"})",
                               R"({"alg":"ES256"})", R"({"alg":"EdDSA","kid":"ed"})"}) {
      expect_refused(make_token(Signer::secret(secret), header, kGoodClaims));
    }
  }
}

TEST_F(ForgedTokens, ThatNameAnotherAlgorithmThanTheirs) {
  for (const char* name : {"HS256", "RS256", "ES256", "EdDSA", "Ed25519"}) {
    const std::string header = std::string("{\"alg\":\"") + name + "\"}";
    if (std::string_view(name) != "HS256") expect_refused(make_token(hmac(), header, kGoodClaims));
    if (std::string_view(name) != "RS256") expect_refused(make_token(rsa(), header, kGoodClaims));
    if (std::string_view(name) != "ES256") expect_refused(make_token(ec(), header, kGoodClaims));
    if (name[0] != 'E' || name[1] != 'd') expect_refused(make_token(ed(), header, kGoodClaims));
  }
  for (const char* name :
       {"HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES256K", "hs256", "HS256\\u0000"})
    expect_header_refused(std::string("{\"alg\":\"") + name + "\"}");
}

TEST_F(ForgedTokens, WithAKeyIdThatIsSomethingElse) {
  for (const char* kid : {"\"../../../../dev/null\"", "\"/dev/null\"", "\"x' UNION SELECT 'secret\"",
                          "\"| id\"", "\"\"", "\"ED\"", "\"ed\\u0000\"", "\"http://127.0.0.1/keys\""}) {
    SCOPED_TRACE(kid);
    expect_refused(make_token(Signer::secret(std::string(1, 0)),
                              std::string("{\"alg\":\"HS256\",\"kid\":") + kid + "}", kGoodClaims));
    expect_refused(make_token(Signer::secret("secret"),
                              std::string("{\"alg\":\"HS256\",\"kid\":") + kid + "}", kGoodClaims));
    expect_refused(make_token(ed(), std::string("{\"alg\":\"EdDSA\",\"kid\":") + kid + "}", kGoodClaims));
  }
  for (const char* kid : {"[\"ed\"]", "{\"ed\":1}", "null", "0", "true", "[]"})
    expect_refused(make_token(ed(), std::string("{\"alg\":\"EdDSA\",\"kid\":") + kid + "}", kGoodClaims));
}

TEST_F(ForgedTokens, ThatBringTheirOwnKey) {
  const Signer own = Signer::ed25519();
  expect_refused(make_token(own, R"({"alg":"EdDSA","jwk":)" + own.jwk() + "}", kGoodClaims));
  expect_refused(make_token(own, R"({"alg":"EdDSA","jku":"https://evil.example/jwks"})", kGoodClaims));
  expect_refused(
      make_token(own, R"({"alg":"EdDSA","x5u":"file:///etc/passwd","x5c":["AAAA"]})", kGoodClaims));
}

TEST_F(ForgedTokens, ThatAskForExtensions) {
  for (const char* header :
       {R"({"alg":"HS256","crit":["exp"]})", R"({"alg":"HS256","crit":[]})", R"({"alg":"HS256","crit":null})",
        R"({"alg":"HS256","b64":false,"crit":["b64"]})", R"({"alg":"HS256","b64":false})",
        R"({"alg":"HS256","b64":true})"}) {
    expect_header_refused(header);
  }
}

TEST_F(ForgedTokens, ThatSayAThingTwice) {
  expect_header_refused(R"({"alg":"none","alg":"HS256"})");
  expect_header_refused(R"({"alg":"HS256","\u0061lg":"none"})");
  expect_header_refused(R"({"alg":"HS256","kid":"a","kid":"b"})");
  expect_payload_refused(R"({"exp":1,"exp":1800000600})");
  expect_payload_refused(R"({"exp":1800000600,"exp":1})");
  expect_payload_refused(R"({"exp":1800000600,"weir":{"subscribe":[],"subscribe":["*"]}})");
  expect_payload_refused(R"({"exp":1800000600,"weir":{},"weir":{"subscribe":["*"]}})");
}

TEST_F(ForgedTokens, OfAnotherShape) {
  const std::string good = make_token(hmac(), R"({"alg":"HS256"})", kGoodClaims);
  for (const std::string& token : {std::string(),
                                   std::string("."),
                                   std::string(".."),
                                   std::string("..."),
                                   std::string("...."),
                                   "." + good,
                                   good + ".",
                                   good + "..",
                                   good + ".AA",
                                   good + ".AA.AA",
                                   good + " ",
                                   " " + good,
                                   good + "\n",
                                   good + "=",
                                   good + "==",
                                   good + std::string(1, '\0'),
                                   "Bearer " + good,
                                   good + "," + good,
                                   good.substr(0, good.rfind('.')),
                                   good.substr(good.find('.') + 1),
                                   std::string("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AA.AA.AA.AA"),
                                   std::string("{\"payload\":\"\",\"signatures\":[]}")}) {
    expect_refused(token);
  }
}

TEST_F(ForgedTokens, SpeltInAnotherWay) {
  // A signature of 32 bytes leaves two bits over in its last character: three other characters look the same
  // to a lax decoder.
  const std::string good = make_token(hmac(), R"({"alg":"HS256"})", kGoodClaims);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  int let_in = 0;
  for (const char last : kAlphabet) {
    std::string token = good;
    token.back() = last;
    let_in += is_let_in(token) ? 1 : 0;
  }
  EXPECT_EQ(let_in, 1);
  std::string other = good;
  for (char& c : other) c = c == '-' ? '+' : c == '_' ? '/' : c;
  if (other != good) expect_refused(other);
}

TEST_F(ForgedTokens, ThatAreGarbage) {
  expect_refused(std::string(7'000, 'A'));
  expect_refused(std::string(7'000, '.'));
  expect_refused(std::string(2'000, 'A') + "." + std::string(2'000, 'A') + "." + std::string(3'000, 'A'));
  expect_refused(std::string(7'000, '\xff'));
  std::string bytes;
  unsigned state = 1;
  for (int i = 0; i < 7'000; ++i) bytes += static_cast<char>((state = state * 1'103'515'245 + 12'345) >> 16);
  expect_refused(bytes);
  expect_refused(encode_base64url(bytes.substr(0, 1'500)) + "." + encode_base64url(bytes.substr(0, 1'500)) +
                 "." + encode_base64url(bytes.substr(0, 1'500)));
  expect_header_refused(R"({"alg":"HS256","a":)" + std::string(1'000, '[') + std::string(1'000, ']') + "}");
  expect_header_refused(std::string(3'000, '{'));
  expect_payload_refused(R"({"exp":1800000600,"a":)" + std::string(1'000, '[') + std::string(1'000, ']') +
                         "}");
  expect_payload_refused(std::string(3'000, '['));
  for (const char* text : {"", "null", "[]", "\"\"", "1", "{", "\xef\xbb\xbf", "{\"alg\":\"HS256\"}x"})
    expect_header_refused(text);
}

TEST_F(ForgedTokens, ThatAreTooLong) {
  const auto padded = [](std::size_t size) {
    return make_token(hmac(), R"({"alg":"HS256"})",
                      R"({"exp":1800000600,"pad":")" + std::string(size, 'x') + "\"}");
  };
  std::size_t size = 6'000;
  while (padded(size + 1).size() <= kTokenBytesMax) ++size;
  EXPECT_TRUE(is_let_in(padded(size)));
  expect_refused(padded(size + 1));
}

TEST_F(ForgedTokens, WithBadTimes) {
  for (const char* payload :
       {R"({})", R"({"exp":"1800000600"})", R"({"exp":"never"})", R"({"exp":1e308})", R"({"exp":1e400})",
        R"({"exp":-1})", R"({"exp":null})", R"({"exp":1799999999})", R"({"exp":1800000600,"nbf":1800000300})",
        R"({"exp":1800000600,"nbf":"0"})", R"({"Exp":1800000600})", R"({"exp":[1800000600]})"}) {
    expect_payload_refused(payload);
  }
}

}  // namespace
}  // namespace weir
