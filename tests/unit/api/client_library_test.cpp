// The library for browsers: what anybody gets, and for how long they may keep it.
#include "broker/api/client_library.h"

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <sstream>

#include "broker/api/digest.h"
#include "tests/support/http_fixture.h"

namespace weir {
namespace {

using ::testing::ElementsAre;

std::string contents_of(const std::string& name) {
  std::ifstream file(WEIR_SOURCE_DIR "/web/dist/" + name, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// printf abc | openssl dgst -sha256, and -sha384 -binary | base64
TEST(Digest, IsAsOpensslSays) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_source("abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(sha384_source("abc"), "sha384-ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn");
}

TEST(ClientFiles, AreThoseOfTheBuiltLibrary) {
  std::vector<std::string> names;
  std::string all;
  for (const ClientFile& file : client_files()) {
    names.emplace_back(file.name);
    EXPECT_EQ(file.content, contents_of(names.back())) << names.back();
    EXPECT_FALSE(file.content.empty()) << names.back();
    all += file.content;
  }
  EXPECT_THAT(names, ElementsAre("weir.js", "file.js", "react.js", "weir.d.ts", "file.d.ts", "react.d.ts"));
  EXPECT_EQ(ClientLibrary(client_files(), kClientVersion).hash(), sha256_hex(all).substr(0, 12));
}

TEST(ClientFiles, MakeAnotherHashWhenOneOfThemChanges) {
  const ClientFile one[] = {{"a.js", "1"}, {"b.js", "2"}};
  const ClientFile other[] = {{"a.js", "1"}, {"b.js", "3"}};
  EXPECT_NE(ClientLibrary(one, "1.0.0").hash(), ClientLibrary(other, "1.0.0").hash());
}

class Clients : public HttpTest {
 protected:
  static std::string immutable_path() {
    return std::string(kClientVersion) + "-" + ClientLibrary(client_files(), kClientVersion).hash();
  }
  static void expect_open(const Response& response) {
    EXPECT_EQ(response.header("access-control-allow-origin"), "*") << response.head;
    EXPECT_EQ(response.header("cross-origin-resource-policy"), "cross-origin") << response.head;
    EXPECT_EQ(response.header("x-content-type-options"), "nosniff") << response.head;
    EXPECT_FALSE(response.has("access-control-allow-credentials")) << response.head;
    EXPECT_FALSE(response.has("vary")) << response.head;
  }
};

TEST_F(Clients, GetEachFileUnderItsNameAndAskForItAnew) {
  config.cors_origin = {"https://app.example"};
  for (const ClientFile& file : client_files()) {
    const std::string name(file.name);
    const Response response = ask("GET", "/clients/" + name, "Origin: https://app.example\r\n");
    EXPECT_EQ(response.status, 200) << name;
    EXPECT_EQ(response.body, file.content) << name;
    EXPECT_EQ(response.header("content-type"),
              name.ends_with(".d.ts") ? "text/plain; charset=utf-8" : "text/javascript; charset=utf-8");
    EXPECT_EQ(response.header("cache-control"), "no-cache");
    expect_open(response);
    const std::string etag = response.header("etag");
    EXPECT_TRUE(etag.starts_with("\"") && etag.ends_with("\"") && etag.size() > 16) << etag;
    for (const std::string& tags : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
      const Response same = ask("GET", "/clients/" + name, "If-None-Match: " + tags + "\r\n");
      EXPECT_EQ(same.status, 304) << tags;
      EXPECT_EQ(same.body, "");
      EXPECT_EQ(same.header("etag"), etag);
      EXPECT_FALSE(same.has("content-length")) << same.head;
      expect_open(same);
    }
    EXPECT_EQ(ask("GET", "/clients/" + name, "If-None-Match: \"x\"\r\n").status, 200);
    const Response head = ask("HEAD", "/clients/" + name);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("content-length"), std::to_string(file.content.size()));
  }
}

// The connection goes on behind a 304.
TEST_F(Clients, MayFollowEachOtherOnOneConnection) {
  const std::string etag = ask("GET", "/clients/weir.js").header("etag");
  HttpClient client = connect();
  client.send(request("GET", "/clients/weir.js", "If-None-Match: " + etag + "\r\n") +
              request("GET", "/clients/file.js"));
  EXPECT_EQ(client.response(false).status, 304);
  EXPECT_EQ(client.response().body, contents_of("file.js"));
}

TEST_F(Clients, KeepAFileOfThisVersionForEver) {
  const std::string path = "/clients/" + immutable_path() + "/";
  const Response response = ask("GET", path + "weir.js");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, contents_of("weir.js"));
  EXPECT_EQ(response.header("cache-control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(response.header("content-type"), "text/javascript; charset=utf-8");
  expect_open(response);
  EXPECT_EQ(ask("HEAD", path + "react.d.ts").status, 200);
  const std::string version(kClientVersion);
  for (const std::string& other :
       {version + "-000000000000/weir.js",
        "0.0.9-" + immutable_path().substr(version.size() + 1) + "/weir.js", immutable_path() + "/",
        immutable_path() + "/nothing.js", immutable_path() + "//weir.js", std::string("/weir.js"),
        std::string("nothing.js"), std::string("weir.js/"), std::string("../weir.js")}) {
    const Response missing = ask("GET", "/clients/" + other);
    EXPECT_EQ(missing.status, 404) << other;
    EXPECT_EQ(missing.header("content-type"), "application/json") << other;
    EXPECT_NE(missing.body.find("\"detail\""), std::string::npos) << other;
    EXPECT_EQ(missing.header("cache-control"), "no-store") << other;
    expect_open(missing);
  }
}

TEST_F(Clients, FindTheWayToItInTheDirectory) {
  const Response response = ask("GET", "/clients/");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.header("cache-control"), "no-cache");
  expect_open(response);
  std::string expected;
  for (const ClientFile& file : client_files()) {
    if (!expected.empty()) expected += ",";
    expected += "\"" + std::string(file.name) + R"(":{"integrity":")" + sha384_source(file.content) + "\"}";
  }
  EXPECT_EQ(response.body, R"({"version":")" + std::string(kClientVersion) + R"(","hash":")" +
                               ClientLibrary(client_files(), kClientVersion).hash() + R"(","files":{)" +
                               expected + "}}\n");
}

TEST_F(Clients, NeedNoTokenAndNoRuleEvenOffLoopback) {
  config.listen = "0.0.0.0:0";
  config.anonymous_subscribe = {"nothing"};
  EXPECT_EQ(ask("GET", "/clients/weir.js").status, 200);
  EXPECT_EQ(ask("GET", "/clients/weir.js",
                "Origin: https://anybody.example\r\nAuthorization: Bearer bad\r\nCookie: weir_token=bad\r\n")
                .status,
            200);
  EXPECT_EQ(ask("GET", "/clients/weir.js?access_token=bad&x=%4").status, 200);
}

TEST_F(Clients, CanOnlyRead) {
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    const Response response = ask(method, "/clients/weir.js");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.header("allow"), "GET, HEAD, OPTIONS");
  }
  EXPECT_EQ(ask("OPTIONS", "/clients/weir.js").status, 204);
}

TEST_F(Clients, FindNothingWhereTheLibraryIsOff) {
  config.serves_clients = false;
  for (const char* target : {"/clients/", "/clients/weir.js"}) {
    const Response response = ask("GET", target);
    EXPECT_EQ(response.status, 404) << target;
    EXPECT_NE(response.body.find("--clients"), std::string::npos) << response.body;
  }
}

TEST_F(Clients, FindItBehindTheBasePath) {
  config.base_path = "/push";
  EXPECT_EQ(ask("GET", "/push/clients/weir.js").status, 200);
  EXPECT_EQ(ask("GET", "/clients/weir.js").status, 404);
  EXPECT_EQ(ask("GET", "/pushx/clients/weir.js").status, 404);
}

TEST_F(Clients, OfAForeignHostAreRefusedOnLoopback) {
  HttpClient client = connect();
  client.send("GET /clients/weir.js HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(client.response().status, 403);
}

}  // namespace
}  // namespace weir
