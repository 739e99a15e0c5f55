package extauthz

//lint:file-ignore SA1019 released Envoys disagree on what append_action says without the deprecated append

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/clerkgate/clerkgate/policy"
)

// oracleResponse is a response in generated types.
func oracleResponse(r checkResponse, id uint64) *authv3.CheckResponse {
	d := r.decision
	response := &authv3.CheckResponse{
		Status:          &rpcstatus.Status{Code: int32(r.status), Message: strings.ToValidUTF8(r.message, "\uFFFD")},
		DynamicMetadata: oracleMetadata(d, id),
	}
	switch r.kind {
	case okResponse:
		set, lost := oracleRequestHeaders(d.SetHeaders)
		response.HttpResponse = &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: set, HeadersToRemove: oracleRemovals(d.RemoveHeaders, lost, set), ResponseHeadersToAdd: oracleHeaderOptions(d.ResponseHeaders, wrapperspb.Bool(true)),
			QueryParametersToRemove: oracleTexts(d.RemoveQuery),
		}}
	case deniedResponse:
		response.HttpResponse = &authv3.CheckResponse_DeniedResponse{DeniedResponse: oracleAnswer(d)}
	case errorResponse:
		response.HttpResponse = &authv3.CheckResponse_ErrorResponse{ErrorResponse: oracleAnswer(d)}
	}
	return response
}

func oracleAnswer(d *policy.Decision) *authv3.DeniedHttpResponse {
	response := &authv3.DeniedHttpResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(clientStatus(d.Status))},
		Headers: oracleHeaderOptions(d.ResponseHeaders, nil),
		Body:    strings.ToValidUTF8(string(d.Body), "\uFFFD"),
	}
	if d.GRPC != nil {
		response.Body = strings.ToValidUTF8(d.GRPC.Message, "\uFFFD")
		response.Headers = append(response.Headers, &corev3.HeaderValueOption{
			Header: &corev3.HeaderValue{Key: "grpc-status", Value: strconv.Itoa(int(rpcCode(d)))},
		})
	}
	return response
}

func oracleRequestHeaders(headers []policy.Header) (set []*corev3.HeaderValueOption, lost []string) {
	for _, h := range headers {
		if !validName(h.Name) || !validValue(h.Value) {
			lost = append(lost, h.Name)
			continue
		}
		set = append(set, &corev3.HeaderValueOption{
			Header: &corev3.HeaderValue{Key: strings.ToLower(h.Name), Value: h.Value},
			Append: wrapperspb.Bool(false), AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return set, lost
}

func oracleHeaderOptions(headers []policy.Header, appends *wrapperspb.BoolValue) (list []*corev3.HeaderValueOption) {
	for _, h := range headers {
		if validName(h.Name) && validValue(h.Value) && !isFraming(h.Name) {
			list = append(list, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: strings.ToLower(h.Name), Value: h.Value}, Append: appends})
		}
	}
	return list
}

func oracleRemovals(names, lost []string, set []*corev3.HeaderValueOption) (list []string) {
	for _, name := range slices.Concat(lost, names) {
		lower := []byte(name)
		for i, c := range lower {
			if c < utf8.RuneSelf {
				lower[i] = byte(unicode.ToLower(rune(c)))
			}
		}
		isSet := slices.ContainsFunc(set, func(o *corev3.HeaderValueOption) bool { return o.Header.Key == string(lower) })
		if !isSet && utf8.Valid(lower) {
			list = append(list, string(lower))
		}
	}
	return list
}

func oracleTexts(texts []string) []string {
	var list []string
	for _, text := range texts {
		list = append(list, strings.ToValidUTF8(text, "\uFFFD"))
	}
	return list
}

// oracleMetadata is the dynamic metadata of a decision in generated types.
func oracleMetadata(d *policy.Decision, id uint64) *structpb.Struct {
	fields := map[string]*structpb.Value{}
	put := func(key, value string) {
		if value != "" {
			fields[key] = structpb.NewStringValue(strings.ToValidUTF8(value, "\uFFFD"))
		}
	}
	put("decision", d.Outcome.String())
	put("decision_id", decisionID(id))
	put("reason", string(d.Reason))
	put("rule", d.Rule)
	if d.Client.IsValid() {
		put("client_ip", d.Client.String())
	}
	if p := d.Principal; p != nil {
		for _, a := range policy.Attributes() {
			if !a.IsList() { // lists may be long
				put(a.Name, a.Text(p))
			}
		}
	}
	if d.Shadow != nil {
		put("shadow", string(d.Shadow.Reason))
	}
	return &structpb.Struct{Fields: fields}
}

// decoded is what Envoy reads of a response. It fails where the oracle would have
// said something else.
func decoded(t *testing.T, r checkResponse) *authv3.CheckResponse {
	t.Helper()
	const id = 1 << 60
	got := &authv3.CheckResponse{}
	if err := proto.Unmarshal(r.encode(id), got); err != nil {
		t.Fatalf("the response cannot be read: %v", err)
	}
	if diff := cmp.Diff(oracleResponse(r, id), got, protocmp.Transform()); diff != "" {
		t.Fatal(diff)
	}
	return got
}

// Check answers as over a connection: encoded, decoded, and back.
func (s *Server) Check(ctx context.Context, request *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	data, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	c := &check{}
	if err := testCodec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, c); err != nil {
		return nil, err
	}
	answer, err := testCodec.Marshal(s.handle(ctx, c))
	if err != nil {
		return nil, err
	}
	response := &authv3.CheckResponse{}
	return response, proto.Unmarshal(answer.Materialize(), response)
}
