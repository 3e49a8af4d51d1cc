package router

import "github.com/sallyport-ai/sallyport/core/llm"

// Class is a class of errors that retry_policy and allowed_fails_policy tell apart.
type Class uint8

// The classes, named after the reference's exceptions (litellm/types/router.py, RetryPolicy).
const (
	ClassNone Class = iota
	ClassBadRequest
	ClassAuthentication
	ClassTimeout
	ClassRateLimit
	ClassContentPolicy
	ClassInternalServer
	classes
)

// Policy is a number for each class that it names.
type Policy map[Class]int

// ClassOf is the class of a failure, or ClassNone.
func ClassOf(k llm.Kind) Class {
	switch k {
	case llm.KindBadRequest, llm.KindUnprocessable:
		return ClassBadRequest
	case llm.KindAuthentication:
		return ClassAuthentication
	case llm.KindTimeout:
		return ClassTimeout
	case llm.KindRateLimit:
		return ClassRateLimit
	case llm.KindContentPolicy:
		return ClassContentPolicy
	case llm.KindInternal, llm.KindConnection, llm.KindBadGateway, llm.KindUnavailable:
		return ClassInternalServer
	}
	return ClassNone
}
