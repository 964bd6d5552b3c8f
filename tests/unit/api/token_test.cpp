// Tokens over HTTP: who gets in, with what, and what the others are told.
#include "broker/auth/token_verifier.h"
#include "tests/support/http_fixture.h"
#include "tests/unit/auth/auth_fixture.h"

namespace weir {
namespace {

class Tokens : public HttpTest {
 protected:
  Tokens() {
    EXPECT_FALSE(store_.load());
    verifier = &verifier_;
  }

  static std::string token(const std::string& subscribe, const std::string& publish = "",
                           int seconds_left = 600) {
    return make_token(Signer::secret(kSecret), R"({"alg":"HS256"})",
                      "{\"exp\":" + std::to_string(now() + seconds_left) + ",\"weir\":{\"subscribe\":[" +
                          subscribe + "],\"publish\":[" + publish + "]}}");
  }
  static std::string bearer(const std::string& text) { return "Authorization: Bearer " + text + "\r\n"; }
  static std::string cookie(const std::string& text) { return "Cookie: weir_token=" + text + "\r\n"; }
  static std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  double refused(const std::string& reason) {
    const std::string page = metrics.render();
    const std::string name = "\nweir_http_refused_total{reason=\"" + reason + "\"} ";
    const auto at = page.find(name);
    return at == std::string::npos ? 0 : std::stod(page.substr(at + name.size()));
  }
  // The answer to a publish, or to a question about a channel: what needs no stream.
  int status(const std::string& method, const std::string& target, const std::string& headers) {
    return ask(method, target, headers, method == "POST" ? "x" : "").status;
  }

  static inline const std::string kSecret = std::string(32, 's');
  KeyFolder folder_;
  KeyStore store_{{.secret = folder_.write("secret", kSecret), .public_key = "", .jwks = ""}};
  TokenVerifier verifier_{store_, ""};
};

TEST_F(Tokens, AreAskedOfEverybody) {
  for (const auto& [method, target] :
       std::vector<std::pair<std::string, std::string>>{{"GET", "/channels/a"},
                                                        {"HEAD", "/channels/a"},
                                                        {"GET", "/events?channel=a"},
                                                        {"GET", "/channels/a/info"},
                                                        {"GET", "/channels/a/messages"},
                                                        {"POST", "/channels/a"},
                                                        {"POST", "/channels/a/end"}}) {
    const Response response = ask(method, target, kEventStream, method == "POST" ? "x" : "");
    EXPECT_EQ(response.status, 401) << target;
    EXPECT_EQ(response.header("www-authenticate"), "Bearer realm=\"weir\"") << target;
  }
  EXPECT_EQ(refused("token-missing"), 7);
  EXPECT_EQ(gateway.published(), 0U);
  EXPECT_EQ(gateway.places, 0);
}

TEST_F(Tokens, AreAskedForWithThePlacesWhereTheyMayBe) {
  config.jwt_cookie = "session";
  EXPECT_EQ(
      ask("GET", "/channels/a", kEventStream).body,
      "{\"error\":\"Unauthorized\",\"detail\":\"subscribing to \\\"a\\\" takes a token: send it as "
      "Authorization: Bearer TOKEN, as the cookie session, or as ?access_token=TOKEN\",\"channel\":\"a\"}\n");
}

TEST_F(Tokens, ThatAreNotEnoughAreRefusedWithTheChannel) {
  const std::string channel = R"("channel":"c")";
  const std::string headers = bearer(token(R"("a","b")"));
  for (const char* target :
       {"/events?channel=a&channel=b&channel=c", "/channels/c", "/channels/c/messages"}) {
    const Response response = ask("GET", target, headers);
    EXPECT_EQ(response.status, 403) << target;
    EXPECT_NE(response.body.find(channel), std::string::npos) << response.body;
  }
  const Response missing = ask("GET", "/events?channel=c");
  EXPECT_EQ(missing.status, 401);
  EXPECT_NE(missing.body.find(channel), std::string::npos) << missing.body;
  const Response bad = ask("GET", "/events?channel=c", bearer("x"));
  EXPECT_EQ(bad.status, 401);
  EXPECT_EQ(bad.body.find(channel), std::string::npos)
      << "It is not the channel that is refused: " << bad.body;
}

// An announcement costs its sender nothing.
TEST_F(Tokens, AreAskedForBeforeABodyIsTaken) {
  struct Case {
    const char* start;
    std::string headers;
    int status;
  };
  const std::string foreign = "Origin: https://evil.example\r\n";
  const std::vector<Case> cases = {
      {"POST /channels/a", "", 401},
      {"POST /channels/a/end", "", 401},
      {"POST /channels/a", bearer(token("\"a\"", "\"b\"")), 403},
      {"POST /channels/a", bearer(token("", "\"a\"")) + foreign, 403},
      {"POST /nowhere", "", 404},
      {"PUT /channels/a", "", 405},
      {"DELETE /channels/a/info", "", 405},
      {"POST /channels/a%20b", "", 400},
      {"GET /channels/a", kEventStream, 401},
  };
  for (const Case& each : cases) {
    for (const char* framing : {"Content-Length: 10000\r\n", "Transfer-Encoding: chunked\r\n",
                                "Content-Length: 10000\r\nExpect: 100-continue\r\n"}) {
      for (const std::string body : {"", "5\r\nbegun"}) {
        HttpClient client = connect();
        client.send(std::string(each.start) + " HTTP/1.1\r\nHost: localhost\r\n" + each.headers + framing +
                    "\r\n" + body);
        const Response response = client.response();
        EXPECT_EQ(response.status, each.status) << each.start << " " << framing;
        EXPECT_EQ(response.header("connection"), "close");
        EXPECT_TRUE(client.is_closed_by_peer());
      }
    }
  }
  EXPECT_EQ(gateway.published(), 0U);
  EXPECT_EQ(gateway.places, 0);
}

TEST_F(Tokens, LetABodyInThatComesLaterThanItsHead) {
  const std::string head = "POST /channels/a HTTP/1.1\r\nHost: localhost\r\n" + bearer(token("", "\"a\""));
  HttpClient client = connect();
  client.send(head + "Content-Length: 10\r\n\r\nbegun");
  client.send("-done" + head + "Transfer-Encoding: chunked\r\n\r\n5\r\nbeg");
  EXPECT_EQ(client.response().status, 202);
  client.send("un\r\n5\r\n-done\r\n0\r\n\r\n");
  EXPECT_EQ(client.response().status, 202);
  client.send(head + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.response().status, 100);
  client.send("begun-done");
  EXPECT_EQ(client.response().status, 202);
  for (const auto& published : gateway.wait_for_published(3)) EXPECT_EQ(published.payload, "begun-done");
}

TEST_F(Tokens, LetTheirHolderSubscribeAndSayUntilWhen) {
  const std::int64_t expiry = now() + 600;
  HttpClient client = connect();
  client.send(request("GET", "/channels/user%3A42", kEventStream + bearer(token("\"user:*\""))));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  ASSERT_TRUE(stream->request.expires_at);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(stream->request.expires_at->time_since_epoch())
          .count();
  EXPECT_GE(seconds, expiry);
}

TEST_F(Tokens, MayComeInTheQueryOrACookie) {
  const std::string good = token("\"a\"");
  connect().send(request("GET", "/events?channel=a&access_token=" + good, kEventStream));
  ASSERT_NE(gateway.wait_for_stream(1), nullptr);
  connect().send(request("GET", "/channels/a", kEventStream + cookie(good)));
  ASSERT_NE(gateway.wait_for_stream(2), nullptr);
  EXPECT_EQ(status("GET", "/channels/a/info?access_token=" + good, ""), 200);
  EXPECT_EQ(status("GET", "/channels/a/info", cookie(good)), 200);
  EXPECT_EQ(status("HEAD", "/channels/a", bearer(good)), 200);
}

TEST_F(Tokens, MayComeInACookieOfAnotherName) {
  config.jwt_cookie = "__Host-weir";
  EXPECT_EQ(status("GET", "/channels/a/info", "Cookie: __Host-weir=" + token("\"a\"") + "\r\n"), 200);
  EXPECT_EQ(status("GET", "/channels/a/info", cookie(token("\"a\""))), 401);
}

TEST_F(Tokens, ThatDoNotCoverTheChannelAre403) {
  const std::string good = token("\"a\"", "\"b\"");
  const Response response = ask("GET", "/channels/b", kEventStream + bearer(good));
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.header("www-authenticate"), "Bearer realm=\"weir\", error=\"insufficient_scope\"");
  EXPECT_NE(response.body.find("subscribing to \\\"b\\\""), std::string::npos) << response.body;
  EXPECT_EQ(status("GET", "/channels/b/info", bearer(good)), 403);
  EXPECT_EQ(status("POST", "/channels/a", bearer(good)), 403);
  EXPECT_EQ(status("POST", "/channels/a/end", bearer(good)), 403);
  EXPECT_EQ(status("GET", "/events?channel=a&channel=b", bearer(good)), 403)
      << "All of them must be covered.";
  EXPECT_EQ(refused("token-scope"), 5);
  EXPECT_EQ(status("POST", "/channels/b", bearer(good)), 202);
  EXPECT_EQ(status("POST", "/channels/b/end?access_token=" + good, ""), 202);
}

TEST_F(Tokens, ThatAreBadAre401AndSayWhy) {
  const Response expired = ask("GET", "/channels/a", bearer(token("\"a\"", "", -1)));
  EXPECT_EQ(expired.status, 401);
  EXPECT_EQ(expired.header("www-authenticate"),
            "Bearer realm=\"weir\", error=\"invalid_token\", error_description=\"the token has expired\"");
  EXPECT_EQ(status("GET", "/channels/a", bearer("x")), 401);
  EXPECT_EQ(status("GET", "/channels/a", "Authorization: Bearer\r\n"), 401);
  EXPECT_EQ(status("GET", "/channels/a?access_token=", ""), 401);
  EXPECT_EQ(status("GET", "/channels/a?access_token=x&access_token=y", ""), 401);
  EXPECT_EQ(status("POST", "/channels/a", cookie(std::string(7'000, 'A'))), 401);
  EXPECT_EQ(refused("token-bad"), 6);
}

TEST_F(Tokens, ThatAreBadAre401AlsoWhereNoneIsNeeded) {
  config.anonymous_subscribe = {"news"};
  connect().send(request("GET", "/channels/news", kEventStream));
  ASSERT_NE(gateway.wait_for_stream(), nullptr);
  EXPECT_FALSE(gateway.wait_for_stream()->request.expires_at);
  EXPECT_EQ(status("GET", "/channels/news/info", bearer("x")), 401);
  EXPECT_EQ(status("GET", "/channels/news/info", bearer(token("\"a\"", "", -1))), 401);
  EXPECT_EQ(status("GET", "/channels/a/info", ""), 401);
}

TEST_F(Tokens, AddToWhatAnybodyMay) {
  config.anonymous_subscribe = {"news"};
  EXPECT_EQ(
      status("GET", "/events?channel=news&channel=a", "Accept: text/plain\r\n" + bearer(token("\"a\""))), 406)
      << "Let in, and then not acceptable.";
  EXPECT_EQ(status("GET", "/channels/news/info", bearer(token("\"a\""))), 200);
  EXPECT_EQ(status("POST", "/channels/news", bearer(token("\"a\""))), 403);
}

TEST_F(Tokens, OfTheHeaderCountEvenIfTheCookieIsBetter) {
  EXPECT_EQ(status("GET", "/channels/a/info", bearer("x") + cookie(token("\"a\""))), 401);
  EXPECT_EQ(status("GET", "/channels/a/info", bearer(token("\"a\"")) + cookie("x")), 200);
  EXPECT_EQ(status("GET", "/channels/a/info?access_token=" + token("\"b\""), cookie(token("\"a\""))), 403);
}

TEST_F(Tokens, AreNotLookedAtWithoutKeys) {
  verifier = nullptr;
  config.anonymous_subscribe = {"a"};
  EXPECT_EQ(status("GET", "/channels/a/info", bearer("x")), 200);
  const Response response = ask("GET", "/channels/b/info", bearer(token("\"b\"")));
  EXPECT_EQ(response.status, 403);
  EXPECT_FALSE(response.has("www-authenticate")) << "No token would help.";
  EXPECT_EQ(refused("subscribe-rule"), 1);
}

TEST_F(Tokens, InACookieAreNotForOtherOrigins) {
  config.cors_origin = {"*", "https://app.example"};
  const std::string good = cookie(token("\"a\"", "\"a\""));
  const auto from = [](const char* origin) { return std::string("Origin: ") + origin + "\r\n"; };
  for (const char* method : {"GET", "POST"}) {
    const std::string target = std::string("/channels/a") + (method == std::string("GET") ? "/info" : "");
    const int ok = method == std::string("GET") ? 200 : 202;
    EXPECT_EQ(status(method, target, good + from("https://app.example")), ok);
    EXPECT_EQ(status(method, target, good + from("http://localhost")), ok) << "This host.";
    EXPECT_EQ(status(method, target, good + from("https://evil.example")), 403) << "* is never with cookies.";
    EXPECT_EQ(status(method, target, good + from("null")), 403);
    EXPECT_EQ(status(method, target, bearer(token("\"a\"", "\"a\"")) + from("https://evil.example")), ok);
  }
  EXPECT_EQ(refused("origin"), 4);
}

TEST_F(Tokens, InACookieMayPublishWhereTheBrowserSaysItIsThisSite) {
  const std::string good = cookie(token("", "\"a\""));
  EXPECT_EQ(status("POST", "/channels/a", good + "Sec-Fetch-Site: same-origin\r\n"), 202);
  EXPECT_EQ(status("POST", "/channels/a", good + "Sec-Fetch-Site: none\r\n"), 202);
  EXPECT_EQ(status("POST", "/channels/a", good), 202) << "No browser.";
  for (const char* site : {"cross-site", "same-site", "", "something new"}) {
    EXPECT_EQ(status("POST", "/channels/a", good + "Sec-Fetch-Site: " + site + "\r\n"), 403) << site;
  }
  EXPECT_EQ(status("POST", "/channels/a", bearer(token("", "\"a\"")) + "Sec-Fetch-Site: cross-site\r\n"),
            202);
  EXPECT_EQ(status("POST", "/channels/a", good + "Origin: https://evil.example\r\n"), 403);
}

TEST_F(Tokens, AreAskedForInAWayThatAForeignPageCanRead) {
  config.cors_origin = {"https://app.example"};
  const Response response = ask("GET", "/channels/a", "Origin: https://app.example\r\n");
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.header("access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(response.header("access-control-allow-credentials"), "true");
  EXPECT_EQ(ask("OPTIONS", "/channels/a",
                "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n"
                "Access-Control-Request-Headers: authorization\r\n")
                .status,
            204)
      << "A preflight has no token.";
}

TEST_F(Tokens, AreNotAskedForByTheAdminSide) {
  HttpClient client = connect_admin();
  client.send(request("GET", "/healthz"));
  EXPECT_EQ(client.response().status, 200);
}

}  // namespace
}  // namespace weir
