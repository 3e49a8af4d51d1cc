package blob

import (
	"encoding/xml"
	"net/url"
)

// BucketList is the path and query of a list of objects as Amazon S3 has it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html), which others took over. The members of the query
// are in the order in which they are signed.
func BucketList(path, prefix, page string) string {
	q := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	if page != "" {
		q.Set("continuation-token", page)
	}
	return path + "?" + q.Encode()
}

// BucketListed reads such a list.
func BucketListed(body []byte) (names []string, next string, err error) {
	var v struct {
		Contents []struct {
			Key string `xml:"Key"`
		} `xml:"Contents"`
		Truncated bool   `xml:"IsTruncated"`
		Next      string `xml:"NextContinuationToken"`
	}
	if err := xml.Unmarshal(body, &v); err != nil {
		return nil, "", err
	}
	for _, c := range v.Contents {
		names = append(names, c.Key)
	}
	if v.Truncated {
		next = v.Next
	}
	return names, next, nil
}
